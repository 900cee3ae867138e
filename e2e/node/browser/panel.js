// Looks at a panel of variables as people do: on a phone and on a desk, by day and by night, with and
// without scripts, with axe for what would keep somebody out; and takes pictures.
//
// node panel.js PAGE FOLDER
//
// Whatever the page asks of another host is refused and told. The last line is JSON: for each view its
// title, its text, the rows of its tables, axe's findings, whether it is wider than its window or cut off, and what
// keys reach; beside that the requests that were made, and what the console complained of.

const axe = require('axe-core');
const { chromium } = require('playwright-core');

const [page_url, folder] = process.argv.slice(2);
const origin = new URL(page_url).origin;

const SIZES = [
  { width: 320, height: 640 },
  { width: 360, height: 740 },
  { width: 800, height: 1000 },
  { width: 1280, height: 800 },
];

async function main() {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  const result = { strangers: [], asked: [], complaints: [], views: {} };
  try {
    for (const viewport of SIZES) {
      for (const colorScheme of ['light', 'dark']) {
        const view = `${viewport.width}-${colorScheme}`;
        result.views[view] = await look(browser, result, { viewport, colorScheme }, async (page) => {
          await page.screenshot({ path: `${folder}/${view}.png`, fullPage: true });
          return judge(page);
        });
      }
    }
    const [viewport] = SIZES;
    result.without_scripts = await look(browser, result, { viewport, javaScriptEnabled: false }, read);
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify(result));
}

async function look(browser, result, options, use) {
  const context = await browser.newContext(options);
  await context.route(
    (url) => url.origin !== origin && url.protocol !== 'data:',
    (route) => {
      result.strangers.push(route.request().url());
      return route.abort();
    },
  );
  const page = await context.newPage();
  page.on('request', (request) => {
    if (!request.url().startsWith('data:')) result.asked.push(request.url());
  });
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) result.complaints.push(message.text());
  });
  page.on('pageerror', (error) => result.complaints.push(String(error)));
  await page.goto(page_url);
  const seen = await use(page);
  await context.close();
  return seen;
}

// What can be read without a script.
async function read(page) {
  return {
    title: await page.title(),
    heading: await page.locator('h1').innerText(),
    text: await page.locator('body').innerText(),
    rows: await page.locator('tbody tr').count(),
  };
}

async function judge(page) {
  const seen = await read(page);
  await page.keyboard.press('Tab');
  seen.first_key_reaches = await page.evaluate(() => document.activeElement.textContent);
  seen.pwned = await page.evaluate(() => typeof window.pwned);
  seen.too_wide = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
  // A section hides what does not fit into it: that must not be the way in which the window is kept.
  seen.cut_off = await page.evaluate(() =>
    [...document.querySelectorAll('h1, h2, p, li, caption:not(.same), tbody th, td, .text, .badge, .at, .note')]
      .filter((it) => it.getBoundingClientRect().right > window.innerWidth || it.scrollWidth > it.clientWidth + 1 && it.clientWidth > 0)
      .map(({ outerHTML }) => outerHTML.slice(0, 200)),
  );
  seen.ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  // What a screen reader is told of the tables must be the same where their rows stand in a stack.
  seen.tables = await page.getByRole('table').count();
  seen.rowheaders = await page.getByRole('rowheader').count();
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    // Every rule there is, but those of experiments and the contrast of AAA.
    const chosen = window.axe
      .getRules()
      .filter(({ tags }) => !tags.includes('experimental') && !tags.includes('wcag2aaa'))
      .map(({ ruleId }) => ruleId);
    const { violations, incomplete, passes } = await window.axe.run({ runOnly: chosen });
    const told = (rules) =>
      rules.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`);
    return { violations: told(violations), unsure: told(incomplete), passed: passes.map(({ id }) => id) };
  });
  return { ...seen, ...found };
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
