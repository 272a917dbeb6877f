"""Runs a proposal's Python: whole, or one of the tests given with its task.

Standard input: the seal, what to run, and as JSON what there is. The seal is written to descriptor 3 once all has
gone well; code that ends the program before has not come to its end.
"""


def main():
    import ast
    import asyncio
    import doctest
    import importlib
    import inspect
    import json
    import os
    import sys
    import traceback
    import types
    import unittest

    seal, name, plan = sys.stdin.read().split("\n", 2)
    plan = json.loads(plan)
    # Kept from what the code may put in their place.
    write, leave, execute, built = os.write, os._exit, exec, compile
    is_awaited, wait_for = inspect.iscoroutine, asyncio.run
    kept = [(kind, dict(vars(kind))) for kind in (unittest.TestCase, unittest.TestResult, unittest.TestSuite)]
    out = os.dup(3)
    os.close(3)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    here = os.getcwd()
    sys.path[:0] = [here, os.path.join(here, "src")]
    sys.argv = [plan["main"]]
    sys.modules["__main__"] = types.ModuleType("__main__")

    def whole():
        for module in plan["modules"]:
            importlib.import_module(module)
        with open(plan["main"], encoding="utf-8") as file:
            code = compile(file.read(), plan["main"], "exec")
        module = types.ModuleType("__main__" if plan["run"] else "solution")
        module.__file__ = plan["main"]
        sys.modules[module.__name__] = module
        if not plan["run"]:
            sys.modules[plan["module"]] = module
        try:
            exec(code, module.__dict__)
        except SystemExit as end:
            if end.code not in (None, 0):
                raise
        tests = doctest.DocTestFinder(exclude_empty=True).find(module, "doctest")
        for text, line in plan["examples"]:
            example = doctest.DocTestParser().get_doctest(text, dict(vars(module)), "example", plan["main"], line)
            tests.append(example)
        runner = doctest.DocTestRunner(verbose=False)
        for test in tests:
            runner.run(test)
        if runner.failures:
            print(f"{runner.failures} of {runner.tries} examples failed")
            return False
        return True

    def one_test():
        chosen, name_of = name.split(":", 1)
        for test in plan["tests"]:
            if test["path"]:
                os.makedirs(os.path.dirname(os.path.join(here, test["path"])), exist_ok=True)
                with open(test["path"], "w", encoding="utf-8") as file:
                    file.write(test["text"])
        test = plan["tests"][int(chosen)]
        tree = ast.parse(test["text"], test["path"] or "tests.py")
        if name_of != "tests":
            tree.body = [node for node in tree.body if not isinstance(node, ast.Assert)]
        # Before the code under test is loaded, which may put something else in the place of what reads them.
        text = built(tree, test["path"] or "tests.py", "exec")
        space = {"__name__": "tests"}
        for module in plan["modules"]:
            module = importlib.import_module(module)
            space.update((key, value) for key, value in vars(module).items() if not key.startswith("_"))
        solution = importlib.import_module(plan["module"])
        sys.modules["solution"] = space["solution"] = solution
        space.update((key, value) for key, value in vars(solution).items() if not key.startswith("_"))
        for kind, before in kept:
            for key, value in before.items():
                if callable(value) and not key.startswith("__"):
                    setattr(kind, key, value)
        execute(text, space)
        if name_of == "tests":
            return True
        if "." in name_of:
            group, method = name_of.split(".")
            result = kept[1][0]()
            kept[2][0]([space[group](method)]).run(result)
            for _, text in result.failures + result.errors:
                print(text)
            for _, why in result.skipped:
                print("skipped:", why)
            return result.wasSuccessful() and result.testsRun == 1 and not result.skipped
        returned = space[name_of]()
        if is_awaited(returned):
            wait_for(returned)
        return True

    try:
        well = one_test() if plan["tests"] else whole()
    except SystemExit as end:
        print(f"the code ended the program: exit({end.code!r})")
        well = False
    except BaseException:
        sys.stdout.flush()
        traceback.print_exc()
        well = False
    sys.stdout.flush()
    sys.stderr.flush()
    if well:
        write(out, seal.encode())
    leave(0 if well else 1)


main()
