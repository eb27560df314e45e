// Runs what has been built: `node tools/build/run.cjs services/standalone [arguments]`. Plain old JavaScript, so that a Node that is
// too old for the rest can still say so.
'use strict';
var fs = require('node:fs');
var path = require('node:path');

var NEEDED = [24, 9];

function fail(message) {
  process.stderr.write('weir: ' + message + '\n');
  process.exit(1);
}

var version = process.versions.node.split('.').map(Number);
if (version[0] < NEEDED[0] || (version[0] === NEEDED[0] && version[1] < NEEDED[1])) {
  fail('this needs Node ' + NEEDED.join('.') + ' or later, and this is ' + process.version + ': on Linux x64, npm ci brings one and npm start uses it; elsewhere install it from https://nodejs.org');
}

var main = path.join(__dirname, '..', '..', 'dist', process.argv[2], 'src', 'main.js');
if (!fs.existsSync(main)) fail('dist/ has not been built: npm run prepare');

// kafkajs computes a timeout that has passed already, and Node 24 says so every time
var emitWarning = process.emitWarning;
process.emitWarning = function (warning, type) {
  if (type !== 'TimeoutNegativeWarning') emitWarning.apply(process, arguments);
};

// started by npm (package.json says `exec`: its signals reach this process and not a shell that would keep them), it ends with npm,
// however that ends
if (process.env.npm_lifecycle_event) {
  var parent = process.ppid;
  setInterval(function () {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM');
  }, 250).unref();
}

process.argv.splice(1, 2, main);
require(main);
