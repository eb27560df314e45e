import { Controller, Get } from '@nestjs/common';
import { Describes, Needs } from '@weir/service-host';
import { describe, tiklive } from '@weir/upstream-catalog';

const description = describe(tiklive);

@Controller('v1')
export class CatalogController {
  @Get('catalog')
  @Needs('anyone', 'What can be asked of the upstream, what it costs, how long it is kept')
  @Describes({ responses: { 200: { description: 'The endpoints with parameters, credits, lifetimes and required fields' } } })
  get() {
    return description;
  }
}
