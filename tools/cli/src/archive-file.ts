import { open } from 'node:fs/promises';
import type { Json } from './api';
import { BadNews } from './failures';

const READ_BYTES = 256 * 1024;

/** What follows the head of an archive: parts as they are sent, the manifest, and the package of data keys where it was asked for. */
export type Piece = { readonly part: Buffer; readonly number: number } | { readonly manifest: Json } | { readonly keys: Json };

/**
 * An archive read piece by piece: a line of JSON, the bytes it speaks of, and so on (docs/operations/tenancy.md). Checksums are compared by
 * who takes it in.
 */
export async function* readArchive(path: string): AsyncGenerator<{ readonly head: Json } | Piece> {
  const file = await open(path).catch((error: Error) => {
    throw new BadNews(`cannot read ${path}: ${error.message}`);
  });
  let kept = Buffer.alloc(0);
  const read = async (): Promise<boolean> => {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES);
    kept = Buffer.concat([kept, buffer.subarray(0, bytesRead)]);
    return bytesRead > 0;
  };
  const more = async (): Promise<void> => {
    if (!(await read())) throw new BadNews(`${path} ends before its manifest: it was cut short; export the tenant again`);
  };
  const left = async (): Promise<Buffer> => {
    while (await read());
    return kept;
  };
  const take = async (length: number): Promise<Buffer> => {
    while (kept.length < length) await more();
    const taken = kept.subarray(0, length);
    kept = kept.subarray(length);
    return taken;
  };
  const takeLine = async (): Promise<Buffer> => {
    while (!kept.includes(0x0a)) await more();
    return take(kept.indexOf(0x0a) + 1);
  };
  try {
    yield { head: parsed(await takeLine(), path) };
    for (;;) {
      const line = await takeLine();
      const said = parsed(line, path);
      if (said.manifest !== undefined) {
        yield { manifest: said.manifest };
        const rest = await left();
        if (rest.length > 0) yield { keys: parsed(rest, path).keys };
        return;
      }
      yield { number: Number(said.part), part: Buffer.concat([line, await take(Number(said.bytes))]) };
    }
  } finally {
    await file.close();
  }
}

function parsed(line: Buffer, path: string): Json {
  try {
    return JSON.parse(line.toString('utf8')) as Json;
  } catch {
    throw new BadNews(`${path} is no archive of a tenant, or damaged`);
  }
}
