// `node --require tools/build/register.cjs some/main.ts`: runs our TypeScript without a build, with the build's own compiler options.
// For specs that need a process of its own; what is shipped runs from dist/.
const Module = require('node:module');
const { transformFileSync } = require('@swc/core');
const { swcOptions } = require('./swc-options.cjs');

Module._extensions['.ts'] = (module, file) => module._compile(transformFileSync(file, { ...swcOptions, sourceMaps: 'inline' }).code, file);

// the compiled imports name the .js files that a build would have made
const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, parent, ...rest) {
  try {
    return resolve.call(this, request, parent, ...rest);
  } catch (error) {
    if (!request.endsWith('.js') || !parent?.filename?.endsWith('.ts')) throw error;
    return resolve.call(this, request.replace(/\.js$/, '.ts'), parent, ...rest);
  }
};
