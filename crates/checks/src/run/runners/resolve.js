import module from 'node:module';
const tried = (name) => [name.replace(/\.(m|c)?js$/, '.$1ts'), `${name}.ts`, `${name}/index.ts`];
module.registerHooks?.({
  resolve(name, context, next) {
    try {
      return next(name, context);
    } catch (error) {
      if (!/^\.{1,2}\//.test(name)) throw error;
      for (const other of tried(name)) {
        try {
          if (other !== name) return next(other, context);
        } catch {}
      }
      throw error;
    }
  },
});
