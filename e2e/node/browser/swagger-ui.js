// Uses Swagger UI as a person would: opens it, authorises, tries a call out, and takes a picture.
//
// node swagger-ui.js PAGE FOLDER KEY OPERATION
//
// PAGE is its address, OPERATION the tag and the id of a call without parameters, such as
// `companies/companies_list`. Whatever the page asks of another host is refused and told. The last
// line is JSON: title, status, the hosts that were asked, what the console complained of.

const { chromium } = require('playwright-core');

const [page_url, folder, key, operation] = process.argv.slice(2);
const origin = new URL(page_url).origin;

async function main() {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  const strangers = [];
  const complaints = [];
  const result = { strangers, complaints };
  try {
    for (const colorScheme of ['light', 'dark']) {
      const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 1400 } });
      await context.route(
        (url) => url.origin !== origin && url.protocol !== 'data:' && url.protocol !== 'blob:',
        (route) => {
          strangers.push(route.request().url());
          return route.abort();
        },
      );
      const page = await context.newPage();
      page.on('console', (message) => {
        // Swagger UI says so of any link to an operation with `_` in its id, and follows it.
        const deprecated = message.text().startsWith('Deprecated: escaping deep link whitespace');
        if (message.type() === 'error' && !deprecated) complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(String(error)));
      await use(page, result);
      await page.evaluate(() => window.scrollTo(0, 0));
      await page.screenshot({ path: `${folder}/swagger-ui-${colorScheme}.png` });
      result[colorScheme] = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      await context.close();
    }
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify(result));
}

async function use(page, result) {
  await page.goto(`${page_url}#/${operation}`);
  const block = page.locator('.opblock.is-open');
  await block.waitFor();
  result.title = await page.title();
  result.heading = await page.locator('.info .title').innerText();
  result.authorised = await authorise(page);
  await block.locator('button.execute').click();
  const status = block.locator('.live-responses-table .response-col_status').nth(1);
  await status.waitFor();
  result.status = Number.parseInt(await status.innerText(), 10);
  result.sent = await block.locator('.curl-command').innerText();
}

// The dialog has a form for each way in; the key goes into the first.
async function authorise(page) {
  const button = page.locator('.auth-wrapper > button.authorize');
  if ((await button.count()) === 0) return false;
  await button.click();
  const dialog = page.locator('.modal-ux');
  await dialog.locator('input[type=text], input[type=password]').first().fill(key);
  await dialog.locator('button.authorize').first().click();
  await dialog.locator('button:has-text("Logout")').first().waitFor();
  await dialog.locator('button.btn-done').first().click();
  return true;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
