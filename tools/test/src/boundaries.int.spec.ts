import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(__dirname, '..', '..', '..');
const run = (script: string, ...args: string[]) =>
  promisify(execFile)(process.execPath, [join(root, script), ...args], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', NX_NO_CLOUD: 'true', NX_DAEMON: 'false' },
  });

const RULE = '@nx/enforce-module-boundaries';
const SNIPPETS = {
  'libs/kernel/src/snippet.ts': "import { Injectable } from '@nestjs/common';\nexport const it = Injectable;\n",
  'libs/contracts/src/snippet.ts': "import { kafkaBus } from '@weir/bus';\nexport const it = kafkaBus;\n",
  'services/metering/src/snippet.ts': "import { definition } from '@weir/tenant-registry';\nexport const it = definition;\n",
  'services/standalone/src/snippet.ts': "import { definition } from '@weir/tenant-registry';\nexport const it = definition;\n",
  'libs/envelope/src/snippet.ts': "import { newId } from '@weir/kernel';\nexport const it = newId;\n",
};

type Found = { ruleId: string; message: string }[];
let found: Record<keyof typeof SNIPPETS, Found>;

beforeAll(async () => {
  // the rule reads Nx's project graph, and says nothing where there is none
  await run('node_modules/nx/dist/bin/nx.js', 'show', 'projects');
  const snippets = Object.entries(SNIPPETS).map(([path, text]) => ({ path, text }));
  const { stdout } = await run('tools/test/fixtures/lint-snippets.mjs', JSON.stringify(snippets));
  const results = JSON.parse(stdout) as Found[];
  found = Object.fromEntries(snippets.map(({ path }, index) => [path, results[index]])) as typeof found;
}, 60_000);

describe('the boundaries between projects are lint errors', () => {
  it('when a pure library imports a framework', () => {
    expect(found['libs/kernel/src/snippet.ts']).toEqual([{ ruleId: RULE, message: expect.stringContaining('not allowed to import "@nestjs/common"') }]);
  });

  it('when a pure library imports an adapter', () => {
    expect(found['libs/contracts/src/snippet.ts']).toEqual([{ ruleId: RULE, message: expect.stringContaining('type:pure') }]);
  });

  it('when a service imports another service', () => {
    expect(found['services/metering/src/snippet.ts']).toEqual([{ ruleId: RULE, message: expect.stringContaining('type:service') }]);
  });

  it('and not where the design wants the import', () => {
    expect(found['services/standalone/src/snippet.ts']).toEqual([]);
    expect(found['libs/envelope/src/snippet.ts']).toEqual([]);
  });
});
