import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const text = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");

test("examples/first.ts runs", async () => {
	await import("../examples/first.ts");
});

test("the README shows it", () => {
	const [, example] = text("../README.md").match(/## Example\n\n```ts\n(.*?)```\n/s) ?? [];
	expect(example).toBe(text("../examples/first.ts"));
});
