import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { genesis } from './chain';
import { eventJson, eventOf } from './event-json';
import { manifest, manifestOf } from './manifest';
import { verifyExport } from './verify-export';
import { writeExport } from './write-export';

const page = readFileSync(join(__dirname, '../../../docs/audit-format.md'), 'utf8');
const example = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
const lines = example.split('\n');
const events = lines.slice(0, 2).map((line) => eventOf(JSON.parse(line))!);
const said = manifestOf(JSON.parse(lines[2] ?? '{}')).data!.manifest;

describe('docs/audit-format.md', () => {
  it('has an example whose genesis is the one that we compute, and which is intact', async () => {
    expect(page).toContain(`Genesis is \`${genesis(said.tenantId)}\``);
    expect(await verifyExport(Readable.from([Buffer.from(example)]))).toMatchObject({ result: 'intact', events: 2, head: events[1]?.chainHash });
  });

  it('shows an export as we write it, to the byte', async () => {
    async function* pages() {
      yield events;
    }
    let text = '';
    for await (const piece of writeExport(said, pages())) text += piece;
    expect(text).toBe(example);
    expect(events.map(eventJson)).toEqual(lines.slice(0, 2));
  });

  it('names every member of an event and of the manifest', () => {
    const members = [...Object.keys(JSON.parse(lines[0] ?? '{}') as object).filter((name) => name !== 'actor'), ...Object.keys(manifest.shape)];
    expect(members.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
