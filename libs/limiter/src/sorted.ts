/** A Redis sorted set: members in the order of their scores, then their own (ASCII). */
export class Sorted<T> {
  private readonly items: { readonly score: number; readonly member: string; readonly value: T }[] = [];
  private readonly scores = new Map<string, number>();

  get size(): number {
    return this.items.length;
  }
  get first(): { readonly score: number; readonly member: string; readonly value: T } | undefined {
    return this.items[0];
  }
  scoreOf(member: string): number | undefined {
    return this.scores.get(member);
  }
  *values(): Iterable<T> {
    for (const { value } of this.items) yield value;
  }

  set(member: string, score: number, value: T): void {
    this.delete(member);
    this.scores.set(member, score);
    this.items.splice(this.placeOf(member, score), 0, { score, member, value });
  }

  delete(member: string): void {
    const score = this.scores.get(member);
    if (score === undefined) return;
    this.scores.delete(member);
    this.items.splice(this.placeOf(member, score), 1);
  }

  private placeOf(member: string, score: number): number {
    let [low, high] = [0, this.items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const one = this.items[middle];
      if (one && (one.score < score || (one.score === score && one.member < member))) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
