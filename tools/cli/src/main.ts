#!/usr/bin/env node
import { runCli } from './cli';

// whoever reads us may stop early, as `weir … | head` does
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

void runCli(process.argv.slice(2), process).then((code) => {
  process.exitCode = code;
});
