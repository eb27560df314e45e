// Health check of a container whose image has no curl: `node probe.js /readyz` asks the process's own management port.
const port = process.env['WEIR_MANAGEMENT_PORT'] ?? '9090';

fetch(`http://127.0.0.1:${port}${process.argv[2] ?? '/livez'}`, { signal: AbortSignal.timeout(2_500) }).then(
  (answer) => process.exit(answer.ok ? 0 : 1),
  () => process.exit(1),
);
