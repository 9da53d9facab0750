// Writes the generated files that are committed: the flag tables, and the types of the addon.
import { run } from "./run.mjs";
import { setup } from "./setup.mjs";

run("cargo", ["run", "-q", "-p", "nearfar-linux", "--bin", "generate-flags"]);
setup();
