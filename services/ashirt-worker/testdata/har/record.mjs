import http from 'node:http';
import { createRequire } from 'node:module';
const require = createRequire(process.env.NODE_FROM ?? '/work/main/target/node/browser/');
const { chromium } = require('playwright-core');
const server = http.createServer((q, a) => {
  if (q.url === '/') { a.setHeader('set-cookie', 'session=SecretCookie'); a.setHeader('content-type', 'text/html; charset=utf-8');
    return a.end('<title>x</title><script>' +
      'fetch("/api/login?a=1",{method:"POST",headers:{authorization:"Bearer SecretToken"},body:"user=ann&password=SecretPassword"})' +
      '.then(()=>fetch("/text.json")).then(()=>fetch("/gone")).then(()=>fetch("/old")).then(()=>fetch("http://127.0.0.1:1/refused").catch(()=>0)).then(()=>document.title="done")</script>'); }
  if (q.url.startsWith('/api')) { a.statusCode = 201; a.setHeader('content-type', 'application/json'); return a.end('{"token":"SecretAnswer"}'); }
  if (q.url === '/text.json') { a.setHeader('content-type', 'application/json'); return a.end('{"half":"\\ud800"}'); }
  if (q.url === '/old') { a.statusCode = 302; a.setHeader('location', '/new'); return a.end(); }
  if (q.url === '/new') { a.statusCode = 500; return a.end('no'); }
  a.statusCode = 404; a.end('gone');
});
await new Promise(r => server.listen(0, '127.0.0.1', r));
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
const context = await browser.newContext({ recordHar: { path: 'chromium.har' } });
const page = await context.newPage();
await page.goto(`http://127.0.0.1:${server.address().port}/`);
await page.waitForFunction(() => document.title === 'done');
await context.close(); await browser.close(); server.close();
