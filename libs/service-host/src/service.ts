import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DynamicModule, Type } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import type { ServiceName } from '@weir/tenancy';
import type { ServiceRuntime } from './runtime';
import type { Settings } from './settings';

/** What a service puts into a process. */
export interface ServiceParts {
  readonly module: Type | DynamicModule;
  /** Routes past Nest, on its own Fastify: the data plane. */
  readonly routes?: (fastify: FastifyInstance) => void;
  /** Requests that are answered before Fastify sees them. True: it is answered, or will be. */
  readonly direct?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** What the reference says of those routes: Nest does not know them. */
  readonly paths?: OpenAPIObject['paths'];
  /** After the state tables have been read for the first time and before requests: first boot work, loops. */
  readonly start?: () => Promise<void>;
}

/** A service as main.ts and standalone know it. */
export interface ServiceDefinition<C> {
  readonly name: ServiceName;
  readonly title: string;
  /** Its settings beyond the common ones. */
  readonly settings: Settings<C>;
  create(runtime: ServiceRuntime, config: C): ServiceParts | Promise<ServiceParts>;
}
