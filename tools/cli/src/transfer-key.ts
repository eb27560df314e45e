import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { BadNews } from './failures';

const FORM = /^weir-transfer-key-v1:[0-9a-f]{64}$/;

/** 256 bits that two installations are given by hand: data keys of an exported tenant are wrapped under it (docs/envelope-format.md). */
export const newTransferKey = (): string => `weir-transfer-key-v1:${randomBytes(32).toString('hex')}`;

export function readTransferKey(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new BadNews(`cannot read ${file}: ${(error as Error).message}`);
  }
  if (!FORM.test(text)) throw new BadNews(`${file} holds no transfer key; \`weir keys transfer-key > ${file}\` makes one`);
  return text;
}
