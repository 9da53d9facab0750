// `npm run soak` runs bench/soak.ts, which looks for leaks.
import { bench } from "./bench.mjs";

bench("soak");
