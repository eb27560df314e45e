import { ConfigResourceTypes } from 'kafkajs';
import type { TopicDifference, TopicSpec } from '../port';
import type { Names } from './names';
import type { Topics } from './topics';

const SETTINGS = { cleanup: 'cleanup.policy', retentionMs: 'retention.ms', minInsyncReplicas: 'min.insync.replicas' } as const;

/** Topics as they are declared: made, and compared with what is there. */
export class DeclaredTopics {
  constructor(
    private readonly topics: Topics,
    private readonly names: Names,
  ) {}

  async ensure(specs: readonly TopicSpec[]): Promise<{ created: string[]; different: TopicDifference[] }> {
    const before = await this.topics.placed();
    const missing = specs.filter((spec) => !before.has(spec.name));
    if (missing.length > 0) await this.create(missing);
    return { created: missing.map((spec) => spec.name), different: await this.check(specs.filter((spec) => before.has(spec.name))) };
  }

  async check(specs: readonly TopicSpec[]): Promise<TopicDifference[]> {
    const placed = await this.topics.placed();
    const replicas = await this.replicas();
    const actual = await this.configured(specs.filter(({ name }) => placed.has(name)));
    return specs.flatMap((spec) => {
      const found = placed.get(spec.name);
      const settings = actual.get(spec.name);
      if (found === undefined || settings === undefined) return [{ topic: spec.name, setting: 'partitions' as const, declared: spec.partitions, actual: 0 }];
      const compared: [TopicDifference['setting'], string | number, string | number][] = [
        ['partitions', spec.partitions, found.partitions],
        ['replicas', replicas, found.replicas],
        ['cleanup', spec.cleanup, settings.cleanup],
        ['retentionMs', spec.retentionMs, Number(settings.retentionMs)],
        ['minInsyncReplicas', minInsync(spec, replicas), Number(settings.minInsyncReplicas)],
      ];
      return compared
        .filter(([, declared, actual]) => declared !== actual)
        .map(([setting, declared, actual]) => ({ topic: spec.name, setting, declared, actual }));
    });
  }

  private async create(specs: readonly TopicSpec[]): Promise<void> {
    const admin = await this.topics.connected();
    const replicas = await this.replicas();
    await admin.createTopics({
      waitForLeaders: false,
      topics: specs.map((spec) => ({
        topic: this.names.onCluster(spec.name),
        numPartitions: spec.partitions,
        replicationFactor: replicas,
        configEntries: [
          { name: SETTINGS.cleanup, value: spec.cleanup },
          { name: SETTINGS.retentionMs, value: String(spec.retentionMs) },
          { name: SETTINGS.minInsyncReplicas, value: String(minInsync(spec, replicas)) },
        ],
      })),
    });
    await this.topics.known(specs.map((spec) => spec.name));
  }

  /** Three where there are three brokers. */
  private async replicas(): Promise<number> {
    const { brokers } = await (await this.topics.connected()).describeCluster();
    return Math.min(3, brokers.length);
  }

  private async configured(specs: readonly TopicSpec[]): Promise<Map<string, Record<keyof typeof SETTINGS, string>>> {
    if (specs.length === 0) return new Map();
    const { resources } = await (await this.topics.connected()).describeConfigs({
      includeSynonyms: false,
      resources: specs.map(({ name }) => ({
        type: ConfigResourceTypes.TOPIC,
        name: this.names.onCluster(name),
        configNames: Object.values(SETTINGS),
      })),
    });
    return new Map(
      resources.map(({ resourceName, configEntries }) => {
        const of = (name: string) => configEntries.find((entry) => entry.configName === name)?.configValue ?? '';
        return [
          this.names.ours(resourceName),
          { cleanup: of(SETTINGS.cleanup), retentionMs: of(SETTINGS.retentionMs), minInsyncReplicas: of(SETTINGS.minInsyncReplicas) },
        ];
      }),
    );
  }
}

/** Leaves room for one replica to be away. */
const minInsync = (spec: TopicSpec, replicas: number): number => Math.min(spec.minInsyncReplicas, Math.max(1, replicas - 1));
