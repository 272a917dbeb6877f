// Reads files of TypeScript to their end: the paths are the arguments.
const fs = require('node:fs');
const { stripTypeScriptTypes } = require('node:module');
const mode = process.features.typescript === 'transform' ? 'transform' : 'strip';
for (const file of process.argv.slice(1)) {
  try {
    stripTypeScriptTypes(fs.readFileSync(file, 'utf8'), { mode });
  } catch (error) {
    // It counts the lines of a text, and does not know of what file.
    console.error(String(error.stack).replace(/^[^\n]*?:(\d+)\n/, `${file}:$1\n`), error.code);
    process.exit(1);
  }
}
