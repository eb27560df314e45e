import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

// Who may import whom. `pure` knows no framework and no server; a service imports no other service; standalone is the exception.
const boundaries = [
  { sourceTag: 'type:pure', onlyDependOnLibsWithTags: ['type:pure'], bannedExternalImports: ['@nestjs/*', 'pg', 'kafkajs', 'ioredis', 'typeorm'] },
  { sourceTag: 'type:adapter', onlyDependOnLibsWithTags: ['type:pure', 'type:adapter'], bannedExternalImports: ['@nestjs/*'] },
  { sourceTag: 'type:host', onlyDependOnLibsWithTags: ['type:pure', 'type:adapter', 'type:host'] },
  { sourceTag: 'type:service', onlyDependOnLibsWithTags: ['type:pure', 'type:adapter', 'type:host'] },
  { sourceTag: 'type:standalone', onlyDependOnLibsWithTags: ['type:pure', 'type:adapter', 'type:host', 'type:service', 'type:tool'] },
  { sourceTag: 'type:tool', onlyDependOnLibsWithTags: ['type:pure', 'type:adapter', 'type:host', 'type:tool', 'type:test', 'type:standalone', 'type:service'] },
  { sourceTag: 'type:test', onlyDependOnLibsWithTags: ['type:pure', 'type:adapter', 'type:host', 'type:tool', 'type:test'] },
];

// Specs may use the test library and what it brings up, from anywhere; the product's own code may not.
const forSpecs = boundaries.map((rule) => ({
  ...rule,
  onlyDependOnLibsWithTags: [...new Set([...rule.onlyDependOnLibsWithTags, 'type:adapter', 'type:host', 'type:test', 'type:tool'])],
  bannedExternalImports: [],
}));

// The test library and the stack stand on the libraries whose specs use them: circles of projects, never of files.
const fromSpecs = ['testing', 'stack'].flatMap((name) => [
  [name, '*'],
  ['*', name],
]);

const boundaryRule = (depConstraints) => ['error', { enforceBuildableLibDependency: false, allowCircularSelfDependency: true, banTransitiveDependencies: false, allow: [], ignoredCircularDependencies: fromSpecs, depConstraints }];

export default [
  { ignores: ['**/dist/**', '**/node_modules/**', '**/.nx/**', '**/reports/**', '**/*.d.ts'] },
  { plugins: { '@nx': nx }, linterOptions: { reportUnusedDisableDirectives: 'error' } },
  ...tseslint.configs.recommended.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': boundaryRule(boundaries),
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      'no-restricted-syntax': [
        'error',
        { selector: "ExportAllDeclaration", message: 'No barrels: name what is exported.' },
      ],
    },
  },
  {
    // The environment is read in one place per process, and passed on as values.
    files: ['libs/*/src/**/*.ts', 'services/*/src/**/*.ts'],
    ignores: ['**/*.spec.ts', '**/config.ts', '**/main.ts', 'libs/testing/**', 'services/*/src/migrate.ts'],
    rules: {
      'no-restricted-properties': ['error', { object: 'process', property: 'env', message: 'Settings are parsed once, in config.ts.' }],
    },
  },
  { files: ['**/*.spec.ts', '**/src/testing/**/*.ts', 'libs/testing/**/*.ts'], rules: { '@nx/enforce-module-boundaries': boundaryRule(forSpecs) } },
];
