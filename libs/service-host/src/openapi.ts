import { applyDecorators, type INestApplication } from '@nestjs/common';
import { ApiBody, ApiParam, ApiQuery, ApiResponse, DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';

type OpenApiSchema = NonNullable<Extract<Parameters<typeof ApiBody>[0], { schema: unknown }>['schema']>;

const jsonSchema = (schema: z.ZodType, io: 'input' | 'output'): OpenApiSchema => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Record<string, unknown>;
  return rest as OpenApiSchema;
};

export interface RouteDocs {
  readonly body?: z.ZodType;
  readonly query?: z.ZodObject;
  readonly params?: Record<string, string>;
  readonly responses: Record<number, { description: string; schema?: z.ZodType }>;
}

/** What the reference says of a route's shapes: taken from the schemas that parse them. */
export const Describes = ({ body, query, params = {}, responses }: RouteDocs): MethodDecorator =>
  applyDecorators(
    ...(body === undefined ? [] : [ApiBody({ schema: jsonSchema(body, 'input') })]),
    ...Object.entries(query?.shape ?? {}).map(([name, schema]) =>
      ApiQuery({ name, required: !(schema as z.ZodType).safeParse(undefined).success, schema: jsonSchema(schema as z.ZodType, 'input') as never }),
    ),
    ...Object.entries(params).map(([name, description]) => ApiParam({ name, description })),
    ...Object.entries(responses).map(([status, { description, schema }]) =>
      ApiResponse({ status: Number(status), description, ...(schema === undefined ? {} : { schema: jsonSchema(schema, 'output') }) }),
    ),
  );

export function openApiDocument(app: INestApplication, title: string, version: string): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle(title)
    .setVersion(version)
    .setOpenAPIVersion('3.1.0')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'weir_<live|test>_<id>_<secret><crc>' })
    .build();
  return SwaggerModule.createDocument(app, config, { operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}.${method}` });
}
