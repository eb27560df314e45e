const { swcOptions } = require('./tools/build/swc-options.cjs');

// Jest finds files by their own names: what the build writes out with `.js` it looks up as `.ts`.
const transformOptions = { ...swcOptions, module: { ...swcOptions.module, resolveFully: false } };

// One configuration over all projects: two workers, one shared stack a run, a prefix per worker.
module.exports = {
  rootDir: __dirname,
  roots: ['<rootDir>/libs', '<rootDir>/services', '<rootDir>/tools'],
  testMatch: ['**/*.spec.ts'],
  // minutes rather than seconds each: npm run test:nightly
  testPathIgnorePatterns: ['/node_modules/', ...(process.env.WEIR_NIGHTLY ? [] : ['\\.nightly\\.spec\\.ts$'])],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.nx'],
  testEnvironment: 'node',
  transform: { '^.+\\.ts$': ['@swc/jest', transformOptions] },
  transformIgnorePatterns: ['/node_modules/'],
  maxWorkers: 2,
  testTimeout: 30_000,
  globalSetup: '<rootDir>/tools/test/src/global-setup.ts',
  globalTeardown: '<rootDir>/tools/test/src/global-teardown.ts',
};
