import vm from 'node:vm';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Column, Entity, PrimaryColumn, getMetadataArgsStorage } from 'typeorm';

// Every suite stands on this: Jest loads Nest's ES modules without a loader, and swc writes the metadata that Nest and TypeORM read.

@Injectable()
class Gauge {
  readonly level = 7;
}

@Injectable()
class Keeper {
  // no @Inject: the type alone says what is wanted
  constructor(readonly gauge: Gauge) {}
}

@Module({ providers: [Gauge, Keeper] })
class Weir {}

@Entity({ name: 'readings' })
class Reading {
  @PrimaryColumn()
  id!: string;

  @Column()
  level!: number;
}

describe('the ground that the suites stand on', () => {
  it('is Node 24.9 or later, with VM modules', () => {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    expect(major > 24 || (major === 24 && minor >= 9)).toBe(true);
    expect(typeof (vm as { SourceTextModule?: unknown }).SourceTextModule).toBe('function');
  });

  it("injects by type: Nest reads the metadata of swc's decorators", async () => {
    const app = await NestFactory.createApplicationContext(Weir, { logger: false });
    expect(app.get(Keeper).gauge).toBe(app.get(Gauge));
    expect(app.get(Keeper).gauge.level).toBe(7);
    await app.close();
  });

  it("maps columns by type: TypeORM reads the metadata of swc's decorators", () => {
    const { columns } = getMetadataArgsStorage();
    const types = columns.filter(({ target }) => target === Reading).map(({ propertyName, options }) => [propertyName, options.type]);
    expect(types).toEqual([
      ['id', String],
      ['level', Number],
    ]);
  });
});
