/** Topics and groups of this installation on a cluster that others may share. */
export class Names {
  constructor(private readonly prefix: string) {}

  onCluster(name: string): string {
    return this.prefix + name;
  }

  isOurs(name: string): boolean {
    return name.startsWith(this.prefix);
  }

  ours(name: string): string {
    return name.slice(this.prefix.length);
  }
}
