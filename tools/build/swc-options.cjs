// The one set of compiler options, for the build and for Jest. swc and not esbuild: Nest's dependency injection lives on
// decorator metadata, which esbuild drops. CommonJS, because Node 24 can require Nest's ES modules and Jest then needs no loader.
const { join } = require('node:path');
const { readFileSync } = require('node:fs');

const root = join(__dirname, '..', '..');
const { paths } = JSON.parse(readFileSync(join(root, 'tsconfig.base.json'), 'utf8')).compilerOptions;

exports.root = root;
exports.swcOptions = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    target: 'es2024',
    keepClassNames: true,
    baseUrl: root,
    paths,
  },
  module: { type: 'commonjs', resolveFully: true },
  sourceMaps: true,
  swcrc: false,
};
