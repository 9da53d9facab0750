import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

type Declare = (name: string, fn: () => Promise<void>) => void;

/**
 * Tests the example of a package.
 *
 * @param from - `import.meta.url` of a test file of the package.
 * @param run - Declares the test that runs the example. Default: `test`; from `needs` where the example needs a young kernel.
 */
export function testExample(from: string, run: Declare = test): void {
	const place = (path: string) => fileURLToPath(new URL(path, from));
	const text = (path: string) => readFileSync(place(path), "utf8");

	run("examples/first.ts runs, and what it asserts is so", async () => {
		// Where the tests were compiled, so was the example.
		await import(/* @vite-ignore */ place(`../examples/first${extname(from)}`));
	});

	test("the README shows it as it is", () => {
		const example = `## Example\n\n\`\`\`ts\n${text("../examples/first.ts")}\`\`\`\n\n## Semantics`;
		expect(text("../README.md")).toContain(example);
	});
}
