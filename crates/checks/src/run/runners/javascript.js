// Runs one of the tests given with a task in the scope of a proposal's JavaScript, or says which there are.
//
// Standard input: the seal, what to run, and as JSON what there is. The seal is written to descriptor 3 once all has
// gone well; code that ends the program before has not come to its end.
//
// Nothing here may ask a built-in object for something once the code is loaded: the code can have changed it.
(async () => {
  'use strict';
  const fs = require('node:fs');
  const path = require('node:path');
  const url = require('node:url');
  const { isPromise } = require('node:util').types;
  const { writeSync, unlinkSync } = fs;
  const { apply } = Reflect;
  const { defineProperty, freeze, keys } = Object;
  const { stringify } = JSON;
  const { slice } = String.prototype;
  const { then } = Promise.prototype;
  const [asString, Failure, root, say] = [String, Error, globalThis, console.error.bind(console)];
  // Neither handlers of the code's own nor what it put in the place of these have a part in the end.
  const exit = process.reallyExit.bind(process);

  const [seal, name, ...rest] = fs.readFileSync(0, 'utf8').split('\n');
  const plan = JSON.parse(rest.join('\n'));
  const which = Number(name);
  const file = path.join(process.cwd(), plan.file);
  const made = (object) => freeze(Object.assign(Object.create(null), object));

  // A chain, as a list would be written to by what its prototype says.
  const none = made({});
  let [last, count, begun, ended] = [none, 0, 0, 0];
  const add = (title, fn) => {
    last = { __proto__: null, title: `${asString(title)}`, fn, nth: count, before: last };
    count += 1;
  };
  const test = (title, ...rest) => {
    let fn;
    for (let at = 0; at < rest.length; at += 1) if (typeof rest[at] === 'function') fn = rest[at];
    add(title, fn);
  };
  const given = made({
    assert: freeze(require('node:assert/strict')),
    test,
    it: test,
    describe: (title, fn) => fn(),
    solution: (exported, names) => ({ ...exported, ...names }),
    exported: (module) => {
      if (module === null || (typeof module !== 'object' && typeof module !== 'function')) return;
      const all = keys(module);
      for (let at = 0; at < all.length; at += 1) {
        const value = { __proto__: null, value: module[all[at]] };
        if (!(all[at] in root)) defineProperty(root, all[at], value);
      }
    },
    // The tests of a file begin and end, each once. What the code called before is no test.
    begin: () => {
      if (begun !== ended || begun === plan.files) throw new Failure('tests began where there are none');
      if (begun === 0) [last, count] = [none, 0];
      begun += 1;
    },
    collect: (functions) => {
      if (ended + 1 !== begun) throw new Failure('tests ended that had not begun');
      const all = keys(functions);
      for (let at = 0; at < all.length; at += 1) add(all[at], functions[all[at]]);
      ended += 1;
    },
  });
  // Tests may import it, too.
  freeze(require('node:assert'));
  // What tests are written with goes by a name that is gone, as the text that has it is, before the code's first word.
  defineProperty(root, plan.collect, {
    configurable: true,
    get: () => {
      delete root[plan.collect];
      unlinkSync(file);
      return given;
    },
  });
  // Written anew for each test, so that one cannot change what the next one is.
  fs.writeFileSync(file, plan.source);
  if (/\.m[jt]s$/.test(plan.file)) await import(url.pathToFileURL(file).href);
  else require(file);

  const fails = (error) => {
    try {
      say(error);
    } finally {
      exit(1);
    }
  };
  const passes = () => {
    writeSync(3, seal);
    exit(0);
  };
  if (begun !== plan.files || ended !== plan.files) {
    fails('Error: the code did not let the program come to the tests');
  } else if (name === 'list') {
    let titles = '';
    for (let it = last; it !== none; it = it.before) {
      titles = `${stringify(apply(slice, it.title, [0, 70]))}${titles && ','}${titles}`;
    }
    writeSync(1, `\n${plan.mark}[${titles}]\n`);
    passes();
  } else {
    let chosen = last;
    while (chosen !== none && chosen.nth !== which) chosen = chosen.before;
    if (chosen === none && name !== 'whole') {
      fails(`Error: the test ${name} is not there any more`);
    } else {
      try {
        const { fn } = chosen;
        let came = chosen === none ? undefined : fn();
        // What is like a promise becomes one. Of a promise the code cannot say how it ends.
        if (!isPromise(came)) came = (async () => await came)();
        apply(then, came, [passes, fails]);
      } catch (error) {
        fails(error);
      }
    }
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
