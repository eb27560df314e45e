const { swcOptions } = require('./tools/build/swc-options.cjs');

// One configuration over all projects: two workers, one shared stack a run, a prefix per worker.
module.exports = {
  rootDir: __dirname,
  roots: ['<rootDir>/libs', '<rootDir>/services', '<rootDir>/tools'],
  testMatch: ['**/*.spec.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.nx'],
  testEnvironment: 'node',
  transform: { '^.+\\.ts$': ['@swc/jest', swcOptions] },
  transformIgnorePatterns: ['/node_modules/'],
  maxWorkers: 2,
  testTimeout: 30_000,
  globalSetup: '<rootDir>/tools/test/src/global-setup.ts',
  globalTeardown: '<rootDir>/tools/test/src/global-teardown.ts',
};
