import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { AppError, newId, rfc3339, sleep, type CommandContext, type OperationId, type TenantId } from '@weir/kernel';
import { Command, Describes, Needs, Tenant, parse } from '@weir/service-host';
import { currentPlace, declareIndex, findDrift, undeclareIndex, type Bundle, type Databases, type MigrationRun, type Migrator } from '@weir/tenancy';
import { z } from 'zod';
import { ALIVE_MS, type MigrationOrders, type Outcome } from './migration-orders';

const RECORD_TRIES = 120;

const run = z.strictObject({
  /** Who goes first: how many, or which tenants. */
  canary: z.union([z.number().int().min(0).max(100), z.array(z.custom<TenantId>((v) => typeof v === 'string' && /^ten_[0-9a-z]{26}$/.test(v), 'ten_…')).max(100)]).default(1),
  workers: z.number().int().min(2).max(4).default(2),
});
const column = z.string().regex(/^[a-z_][a-z0-9_]{0,60}$/);
const extraIndex = z.strictObject({ table: column, columns: z.array(column).min(1).max(8), reason: z.string().trim().min(1).max(300) });

/** The release's way through the homes: each tenant's own schema, and the pooled one, in every database. */
export class Migrations {
  /** What this process is carrying out. */
  private working: Promise<void> = Promise.resolve();
  private order: OperationId | undefined;
  private readonly stopping = new AbortController();

  constructor(
    private readonly databases: Databases,
    private readonly bundle: Bundle,
    private readonly migrator: Migrator,
    private readonly orders: MigrationOrders,
    private readonly onError: (error: Error) => void,
  ) {}

  async status() {
    const [order, databases] = await Promise.all([this.orders.last(), this.migrator.status()]);
    const schemas = databases.reduce((sum, { current, behind }) => ({ current: sum.current + (current ?? 0), behind: sum.behind + (behind ?? 0) }), { current: 0, behind: 0 });
    return {
      running: order?.state === 'running',
      run: order,
      release: this.bundle.tenant.map(({ id }) => id),
      schemas,
      databases: databases.map(({ run: last, ...rest }) => ({ ...rest, run: view(last) })),
    };
  }

  plan = () => this.migrator.plan();
  drift = () => findDrift(this.databases, this.bundle);

  /** Begins, or joins what is under way, wherever; how far it is and how it ended, the status says. */
  async run(options: z.infer<typeof run>, { actor }: CommandContext) {
    const id = newId('op');
    if (await this.orders.begin(id, actor)) this.working = this.carryOut((this.order = id), options);
    // what is nothing, or little, has been done by the answer
    await Promise.race([this.working, sleep(1_000)]);
    return this.status();
  }

  private async carryOut(id: OperationId, options: z.infer<typeof run>): Promise<void> {
    const alive = setInterval(() => void this.orders.alive(id).catch(this.onError), ALIVE_MS / 3);
    const outcome = await this.migrator.run(options).then(
      ({ migrated }): Outcome => ({ state: 'done', migrated }),
      (error: Error): Outcome => {
        this.onError(error);
        return { state: 'failed', error: { code: error instanceof AppError ? error.code : 'internal', message: error.message } };
      },
    );
    // it may be the home database that was lost: the outcome is said once it is back
    for (let tries = 0; tries < RECORD_TRIES && !this.stopping.signal.aborted; tries++) {
      const recorded = await this.orders.end(id, outcome).then(() => true, (error: Error) => (this.onError(error), false));
      if (recorded) break;
      await sleep(1_000, this.stopping.signal);
    }
    clearInterval(alive);
    this.order = undefined;
  }

  /** Of the process: what it had under way is said to be cut off, without the wait for its signs of life to end. */
  async stop(): Promise<void> {
    this.stopping.abort();
    if (this.order !== undefined) await this.orders.cutOff(this.order).catch(this.onError);
  }

  async declareIndex(tenant: TenantId, index: z.infer<typeof extraIndex>) {
    return declareIndex(this.databases, await currentPlace(this.databases.home, tenant), index);
  }

  async undeclareIndex(tenant: TenantId, name: string) {
    return undeclareIndex(this.databases, await currentPlace(this.databases.home, tenant), name);
  }
}

const view = (run: MigrationRun | null) =>
  run === null ? null : { ...run, startedAt: rfc3339(run.startedAt.getTime()), finishedAt: run.finishedAt === null ? null : rfc3339(run.finishedAt.getTime()) };

@Controller('v1')
export class MigrationsController {
  constructor(private readonly migrations: Migrations) {}

  @Get('migrations')
  @Needs('operator', "The release's migrations, how many schemas have them, how far the last run is, or how it ended and why")
  status() {
    return this.migrations.status();
  }

  @Get('migrations/plan')
  @Needs('operator', 'What a run would apply, and to how many schemas')
  async plan() {
    return { data: await this.migrations.plan() };
  }

  @Get('migrations/drift')
  @Needs('operator', 'Where schemas are not as the release makes them; declared indexes are no drift')
  async drift() {
    return { data: await this.migrations.drift() };
  }

  @Post('migrations')
  @HttpCode(202)
  @Needs('operator', 'Bring every schema to the release, canaries first; goes on where an earlier run was cut off')
  @Describes({ body: run, responses: { 202: { description: 'How far it is, or, under `run`, how it has ended and why' } } })
  run(@Body(parse(run)) body: z.infer<typeof run>, @Command() context: CommandContext) {
    return this.migrations.run(body, context);
  }

  @Post('tenants/:t/indexes')
  @HttpCode(201)
  @Needs('operator', "Give one tenant an index of its own, on record as no drift; it goes with the tenant when it is moved to another schema")
  @Describes({ body: extraIndex, responses: { 201: { description: 'The index' } } })
  declare(@Tenant() id: TenantId, @Body(parse(extraIndex)) body: z.infer<typeof extraIndex>) {
    return this.migrations.declareIndex(id, body);
  }

  @Post('tenants/:t/indexes/:name/drop')
  @HttpCode(204)
  @Needs('operator', "Drop a tenant's own index")
  async undeclare(@Tenant() id: TenantId, @Param('name') name: string): Promise<void> {
    await this.migrations.undeclareIndex(id, name);
  }
}
