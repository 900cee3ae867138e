// Reads the events of a page until it has connected twice, and has received some after that: the service
// is restarted meanwhile.
//
// node event_source.js PAGE
//
// The last line is JSON: how often the page has connected, and the ids of the events in their order.

const { chromium } = require('playwright-core');

const [page_url] = process.argv.slice(2);

async function main() {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    await page.goto(page_url);
    await page.waitForFunction(() => seen.opens >= 2, null, { timeout: 60_000 });
    const count = await page.evaluate(() => seen.ids.length);
    await page.waitForFunction((count) => seen.ids.length > count + 5, count, { timeout: 60_000 });
    console.log(JSON.stringify(await page.evaluate(() => seen)));
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
