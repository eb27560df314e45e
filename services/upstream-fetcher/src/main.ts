import { runService } from '@weir/service-host';
import { definition } from './index';

void runService(definition, process.env, process.argv.slice(2));
