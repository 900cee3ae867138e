// Looks at workers and tasks in Flower, and terminates a task.
//
// node flower.js FLOWER WORKER ENDED_TASK RUNNING_TASK
//
// The last line is JSON: the texts of the pages.

const { chromium } = require('playwright-core');

const [flower, worker, ended, running] = process.argv.slice(2);

async function main() {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(30_000);
    const text = async (path, wanted) => {
      const response = await page.goto(flower + path);
      await page.waitForFunction((wanted) => document.body.textContent.includes(wanted), wanted);
      return { status: response.status(), text: await page.evaluate(() => document.body.textContent) };
    };
    const seen = {};
    seen.workers = await text('/workers', worker);
    seen.worker = await text(`/worker/${worker}`, worker);
    // Its queues are on a tab that is not shown at first.
    seen.queues = await page.evaluate(() => document.body.textContent.includes('rust'));
    seen.tasks = await text('/tasks', 'rs.add');
    seen.ended = await text(`/task/${ended}`, 'rs.add');
    seen.running = await text(`/task/${running}`, 'rs.sleep');
    page.on('dialog', (dialog) => dialog.accept());
    await page.click('#task-terminate, #task-revoke');
    await page.waitForFunction(() => /erminat|evok/.test(document.body.textContent));
    await page.waitForTimeout(500);
    console.log(JSON.stringify(seen));
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
