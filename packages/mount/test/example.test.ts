import { test } from "vitest";
import { testExample } from "../../../test/example.ts";
import { needs } from "../../../test/needs.ts";

testExample(import.meta.url);

test("examples/context.ts runs, and what it asserts is so", async () => {
	await import("../examples/context.ts");
});

// The example mounts below a root that is not attached yet.
needs("Linux 6.15", "a /proc and a /sys that nothing hides").test(
	"examples/directories.ts runs, and what it asserts is so",
	async () => {
		await import("../examples/directories.ts");
	},
);
