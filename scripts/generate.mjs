// Writes the generated files that are committed: the flag tables, the types of the addon, the lists of public names,
// the schema of the command's configuration, docs/troubleshooting.md, and the licenses of what is linked into the addon.
import { run } from "./run.mjs";
import { setup } from "./setup.mjs";

run("cargo", ["run", "-q", "-p", "nearfar-linux", "--bin", "generate-flags"]);
setup();
run("node", ["scripts/api-report.mjs"]);
run("node", ["scripts/config-schema.mjs"]);
run("node", ["scripts/troubleshooting.mjs"]);
run("node", ["scripts/third-party.mjs"]);
