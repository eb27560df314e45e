import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chainStart, follow, genesis } from './chain';
import type { StoredEvent } from './event';
import { eventJson } from './event-json';

const page = readFileSync(join(__dirname, '../../../docs/audit-format.md'), 'utf8');
const example = /```json\n([\s\S]*?)\n```/.exec(page)?.[1]?.split('\n') ?? [];

const events = example.map((line): StoredEvent => {
  const { dataText, ...event } = JSON.parse(line) as StoredEvent & { dataText: string };
  return { ...event, bytes: dataText };
});

describe('docs/audit-format.md', () => {
  it('has an example whose chain is the one that we compute', () => {
    const tenant = events[0]?.tenantId ?? 'ten_';
    expect(page).toContain(`Genesis is \`${genesis(tenant)}\``);
    expect(follow(chainStart(tenant), events)).toEqual({
      position: 2,
      events: 2,
      head: events[1]?.chainHash,
      firstBreak: undefined,
    });
  });

  it('shows an event as we write it, to the byte', () => expect(events.map(eventJson)).toEqual(example));

  it('names every member of an event', () => {
    const members = Object.keys(JSON.parse(example[0] ?? '{}') as object).filter((name) => name !== 'actor');
    expect(members.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
