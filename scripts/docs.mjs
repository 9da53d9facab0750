// Builds the reference in docs/api from the doc comments, the READMEs and the pages of docs: `npm run docs`. TypeDoc refuses a
// name without a comment, a link to nothing, and a public name that mentions a private one. This script then looks up the
// links of the built pages. The last line has the form that scripts/count.mjs counts.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { root, run } from "./run.mjs";

const out = join(root, "docs/api");

rmSync(out, { recursive: true, force: true });
run("typedoc", []);

const pages = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".html"));
const texts = new Map(pages.map((page) => [page, readFileSync(join(out, page), "utf8")]));
const broken = pages.flatMap((page) =>
	linksOf(page)
		.filter((link) => !leadsSomewhere(page, link))
		.map((link) => `${page}: ${link}`),
);
for (const link of broken) console.error(`broken link: ${link}`);
console.log(`${pages.length} pages in ${relative(root, out)}`);
console.log(broken.length > 0 ? "0 passed, 1 failed, 0 skipped" : "1 passed, 0 failed, 0 skipped");
process.exitCode = broken.length > 0 ? 1 : 0;

/** Returns the links of a page to other files of the reference, and to places in them. */
function linksOf(page) {
	const links = [...texts.get(page).matchAll(/\s(?:href|src)="([^"]+)"/g)].map(([, link]) =>
		link.replaceAll("&amp;", "&"),
	);
	return [...new Set(links)].filter((link) => !/^[a-z]+:/.test(link));
}

function leadsSomewhere(page, link) {
	const [path, place] = link.split("#").map(decodeURIComponent);
	const file = path ? normalize(join(dirname(page), path)) : page;
	if (!existsSync(join(out, file))) return false;
	return !place || !texts.has(file) || texts.get(file).includes(`id="${place}"`);
}
