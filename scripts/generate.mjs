// Writes the generated files that are committed: the flag tables, and the types of the addon.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./run.mjs";
import { setup } from "./setup.mjs";

const flags = run("cargo", ["run", "-q", "-p", "nearfar-linux", "--bin", "generate-flags"]);
writeFileSync(join(root, "packages/core/src/flags.generated.ts"), flags);
setup();
