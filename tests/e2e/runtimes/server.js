// SPDX-License-Identifier: Apache-2.0
//
// The Node server of the runtimes suite: HTTP on 8080 and TLS on 8443. Each path does one kind of thing that
// services do, and answers "ok" or 500 with the reason. It has no handler for SIGTERM, so Node ends by it.
// Must not start programs: it runs under an exec budget of 1.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const dgram = require('dgram');
const dns = require('dns');
const { once } = require('events');
const fs = require('fs');
const http = require('http');
const https = require('https');
const net = require('net');
const os = require('os');
const path = require('path');
const { setTimeout: sleep } = require('timers/promises');
const { promisify } = require('util');
const { Worker } = require('worker_threads');
const zlib = require('zlib');

const PORT = 8080;
const TLS_PORT = 8443;

async function inFolder(work) {
  const folder = await fs.promises.mkdtemp('/tmp/node-');
  try {
    return await work(folder);
  } finally {
    await fs.promises.rm(folder, { recursive: true });
  }
}

async function files() {
  await inFolder(async (folder) => {
    const [fresh, old] = [path.join(folder, 'new'), path.join(folder, 'old')];
    const file = await fs.promises.open(fresh, 'w');
    await file.writeFile('record\n'.repeat(10000));
    await file.sync();
    await file.truncate(700);
    await file.close();
    await fs.promises.rename(fresh, old);
    await fs.promises.chmod(old, 0o600);
    await fs.promises.copyFile(old, fresh);
    await fs.promises.symlink('old', path.join(folder, 'link'));
    assert.deepStrictEqual((await fs.promises.readdir(folder)).sort(), ['link', 'new', 'old']);
    assert.strictEqual(fs.readFileSync(path.join(folder, 'link'), 'utf8').length, 700);
  });
}

async function threads() {
  const code = 'const { parentPort, workerData } = require("worker_threads"); parentPort.postMessage(workerData ** 2)';
  const squares = await Promise.all([1, 2, 3, 4].map(async (workerData) => {
    const worker = new Worker(code, { eval: true, workerData });
    const ended = once(worker, 'exit');
    const [square] = await once(worker, 'message');
    await ended;
    return square;
  }));
  assert.deepStrictEqual(squares, [1, 4, 9, 16]);
  const hash = promisify(crypto.scrypt);
  const keys = await Promise.all([1, 2, 3, 4].map(() => hash('password', 'salt', 32, { N: 1024 })));
  assert(keys.every((key) => key.equals(keys[0])));
}

async function names() {
  const found = await dns.promises.lookup('localhost', { all: true });
  assert(found.some((entry) => ['127.0.0.1', '::1'].includes(entry.address)));
  await assert.rejects(dns.promises.lookup('no-such-host.invalid'));
}

async function timers() {
  const began = process.hrtime.bigint();
  await sleep(20);
  let ticks = 0;
  await new Promise((resolve) => {
    const ticking = setInterval(() => (++ticks === 3 ? resolve(clearInterval(ticking)) : null), 1);
  });
  assert(process.hrtime.bigint() - began >= 20_000_000n);
}

async function exchange(address) {
  const listener = net.createServer((socket) => socket.pipe(socket)).listen(address);
  await once(listener, 'listening');
  const client = net.connect(address);
  client.end('unix');
  const [data] = await once(client, 'data');
  assert.strictEqual(data.toString(), 'unix');
  listener.close();
  await once(listener, 'close');
}

async function sockets() {
  const answer = await fetch(`http://127.0.0.1:${PORT}/hello`);
  assert.strictEqual(await answer.text(), 'hello\n');
  await inFolder((folder) => exchange(path.join(folder, 'socket')));
  const [one, two] = [dgram.createSocket('udp4'), dgram.createSocket('udp4')];
  one.bind(0, '127.0.0.1');
  await once(one, 'listening');
  const received = once(one, 'message');
  two.send('datagram', one.address().port, '127.0.0.1');
  assert.strictEqual((await received)[0].toString(), 'datagram');
  one.close();
  two.close();
}

// Compression in the thread pool, a watched folder, the machine's own numbers, streams, compiled code.
async function runtime() {
  const packed = await promisify(zlib.gzip)(Buffer.alloc(1 << 20, 'claim'));
  assert.strictEqual((await promisify(zlib.gunzip)(packed)).length, 1 << 20);
  await inFolder(async (folder) => {
    const watcher = fs.watch(folder);
    const changed = once(watcher, 'change');
    fs.writeFileSync(path.join(folder, 'file'), 'x');
    await changed;
    watcher.close();
  });
  assert(os.cpus().length > 0 && os.totalmem() > 0 && os.networkInterfaces().lo.length > 0);
  assert(process.memoryUsage().rss > 0 && process.resourceUsage().maxRSS > 0);
  const module = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]); // an empty WebAssembly module
  assert((await WebAssembly.instantiate(module)).instance);
}

const PATHS = { files, threads, names, timers, sockets, runtime };

async function handle(request, response) {
  if (request.method === 'POST') {
    request.pipe(response);
    return;
  }
  let [code, body] = [200, 'ok'];
  try {
    if (request.url === '/hello') {
      body = 'hello\n';
    } else {
      await PATHS[request.url.slice(1)]();
    }
  } catch (why) {
    [code, body] = [500, String(why)];
  }
  response.writeHead(code, { 'Content-Length': Buffer.byteLength(body) }).end(body);
}

const tls = { cert: fs.readFileSync('/app/tls.crt'), key: fs.readFileSync('/app/tls.key') };
const servers = [http.createServer(handle).listen(PORT), https.createServer(tls, handle).listen(TLS_PORT)];
Promise.all(servers.map((server) => once(server, 'listening'))).then(() => console.log('serving'));
