import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson } from '@weir/kernel';
import { z } from 'zod';
import { CONTRACTS, EVENTS, TOPICS, fieldsOf, readEvent } from './index';

const FIXTURES = join(__dirname, '..', 'fixtures');

/** `<type>.v<version>.json`, or one file per member of a union: `usage.v1.held.json`. */
const goldens = readdirSync(FIXTURES).map((file) => {
  const [, type = '', version = ''] = /^(.+?)\.v(\d+)(?:\.[a-z]+)?\.json$/.exec(file) ?? [];
  return { file, type, version: Number(version), contract: CONTRACTS.find((contract) => contract.type === type) };
});
const read = (file: string): object => JSON.parse(readFileSync(join(FIXTURES, file), 'utf8')) as object;
const current = goldens.filter(({ contract, version }) => contract?.version === version);

const older = goldens.flatMap(({ file, version }) => [...EVENTS.values()].flatMap((contract) => (file.startsWith(`${contract.type}.v`) && version < contract.version ? [{ file, version, contract }] : [])));

describe('the contracts', () => {
  it('E11 read the golden fixtures of all older versions as the current one', () => {
    for (const { file, version, contract } of older) expect(() => readEvent(contract, version, read(file))).not.toThrow();
  });

  it.each(current)('E11 $type reads its golden fixture $file and gives back what stands there', ({ file, contract }) => {
    const golden = read(file);
    expect(canonicalJson(contract?.schema.parse(golden))).toBe(canonicalJson(golden));
  });

  it.each(current)('E11 $type of a newer version ($file with a member more) is read without what we do not know', ({ file, contract }) => {
    const golden = read(file);
    expect(contract?.schema.parse({ ...golden, addedLater: 1 })).toEqual(golden);
  });

  it('have a fixture for each version, union members included, and no fixture is left without its contract', () => {
    const lacking = CONTRACTS.filter((contract) => {
      const members = contract.schema instanceof z.ZodDiscriminatedUnion ? contract.schema.options.length : 1;
      const versions = Array.from({ length: contract.version }, (_, index) => index + 1);
      return versions.some((version) => goldens.filter((golden) => golden.type === contract.type && golden.version === version).length < members);
    });
    expect(lacking.map(({ type }) => type)).toEqual([]);
    expect(goldens.filter(({ contract, version }) => contract === undefined || version > contract.version)).toEqual([]);
  });

  it.each(CONTRACTS.map((contract) => [contract.type, contract] as const))('%s says of every field whether it is about a person', (_, contract) => {
    expect(fieldsOf(contract.schema).filter((field) => field.personal === undefined)).toEqual([]);
  });

  it('hold nothing about a person in an event: logs are for ever', () => {
    const personal = [...EVENTS.values()].flatMap((contract) => fieldsOf(contract.schema).filter((field) => field.personal).map(({ path }) => `${contract.type}: ${path}`));
    expect(personal).toEqual([]);
  });

  it('travel on topics that are declared', () => {
    const declared = new Set(TOPICS.map((topic) => topic.name));
    expect(CONTRACTS.filter((contract) => !declared.has(contract.topic)).map((contract) => contract.type)).toEqual([]);
  });
});
