// Runs one of the tests given with a task in the scope of a proposal's JavaScript, or says which there are.
//
// Standard input: the seal, what to run, and as JSON what there is. The seal is written to descriptor 3 once all has
// gone well; code that ends the program before has not come to its end.
(async () => {
  const fs = require('node:fs');
  const path = require('node:path');
  const url = require('node:url');
  const [seal, name, ...rest] = fs.readFileSync(0, 'utf8').split('\n');
  const plan = JSON.parse(rest.join('\n'));
  const { writeSync } = fs;
  // Neither handlers of the code's own nor what it put in the place of these have a part in the end.
  const exit = process.reallyExit.bind(process);
  const tests = [];
  const add = (title, ...rest) => tests.push([String(title), rest.findLast((it) => typeof it === 'function')]);
  const put = (key, value) => Object.defineProperty(globalThis, key, { value });
  // What tests are written with goes by a name that the code cannot know.
  put(plan.collect, {
    assert: Object.freeze(require('node:assert/strict')),
    test: add,
    it: add,
    describe: (title, fn) => fn(),
    solution: (exported, names) => ({ ...exported, ...names }),
    collect: (functions) => {
      for (const [title, fn] of Object.entries(functions)) tests.push([title, fn]);
    },
  });
  put(plan.exported, (module) => {
    if (module === null || !['object', 'function'].includes(typeof module)) return;
    for (const [key, value] of Object.entries(module)) if (!(key in globalThis)) put(key, value);
  });
  // Written anew for each test, so that one cannot change what the next one is.
  const file = path.join(process.cwd(), plan.file);
  fs.writeFileSync(file, plan.source);
  if (/\.m[jt]s$/.test(plan.file)) await import(url.pathToFileURL(file).href);
  else require(file);
  if (name === 'list') {
    writeSync(3, seal);
    writeSync(1, `\n${plan.collect}${JSON.stringify(tests.map(([title]) => title.slice(0, 70)))}\n`);
    exit(0);
  }
  const chosen = tests[Number(name)];
  if (chosen) await chosen[1]();
  else if (name !== 'whole') throw new Error(`the test ${name} is not there any more`);
  writeSync(3, seal);
  exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
