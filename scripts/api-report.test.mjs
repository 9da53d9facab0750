import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { apiReports } from "./api-report.mjs";
import { root } from "./run.mjs";

const reports = [...apiReports()];

test.each(reports)("packages/%s/api.txt lists the public names (`npm run generate` writes it)", (name, report) => {
	expect(report).toBe(readFileSync(join(root, "packages", name, "api.txt"), "utf8"));
});
