/**
 * The partitions of a topic that are a member's: dealt out in turn over the members in order, beginning at a place of the topic's
 * own so that the first member does not get the odd partition of every topic. Each member computes the same from the same list.
 */
export function shareOf(member: string, members: readonly string[], topic: string, partitions: number): number[] {
  const turn = members.indexOf(member);
  if (turn === -1) return [];
  const first = [...topic].reduce((sum, character) => sum + (character.codePointAt(0) ?? 0), 0);
  return Array.from({ length: partitions }, (_, partition) => partition).filter(
    (partition) => (partition + first) % members.length === turn,
  );
}
