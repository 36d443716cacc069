/**
 * Round to nearest of ordinary numbers by WebAssembly's operations, and whether the result is exact: what a program needs
 * until its first inexact result, and FCSR.Cause when it is read.
 */
import { FloatCode } from '../../translators/mips/float-code';

let result: u64 = 0;
let inexact: bool = false;

export function quickResult(): u64 {
  return result;
}
export function quickInexact(): bool {
  return inexact;
}

function giveD(value: f64, lossy: bool): bool {
  result = reinterpret<u64>(value);
  inexact = lossy;
  return true;
}
function giveS(value: f32, lossy: bool): bool {
  result = u64(reinterpret<u32>(value));
  inexact = lossy;
  return true;
}

function normalD(x: f64): bool {
  return ((reinterpret<u64>(x) >> 52) & 0x7ff) - 1 < 0x7fe;
}
function normalS(x: f32): bool {
  return ((reinterpret<u32>(x) >> 23) & 0xff) - 1 < 0xfe;
}

/** A product, a quotient or a converted number; one that was rounded to the least normal number may have been tiny. */
function roundedD(value: f64, lossy: bool): bool {
  return !(lossy && abs(value) == LEAST_D) && giveD(value, lossy);
}
function roundedS(value: f32, lossy: bool): bool {
  return !(lossy && abs(value) == LEAST_S) && giveS(value, lossy);
}
const LEAST_D: f64 = 2.2250738585072014e-308;
const LEAST_S: f32 = 1.1754943508222875e-38;

const HIDDEN: u64 = 0x10000000000000;
/** Whether the product of two normal numbers has no more than 53 significant bits. */
function productFits(x: f64, y: f64): bool {
  const p = (reinterpret<u64>(x) & (HIDDEN - 1)) | HIDDEN;
  const q = (reinterpret<u64>(y) & (HIDDEN - 1)) | HIDDEN;
  const bits = 106 - ctz<u64>(p) - ctz<u64>(q);
  return bits <= 53 || (bits == 54 && (p >> ctz<u64>(p)) * (q >> ctz<u64>(q)) < HIDDEN << 1);
}

/** The rest of a sum is itself a number, which these steps find (Knuth, The Art of Computer Programming 2, 4.2.2). */
function addD(x: f64, y: f64): bool {
  const sum = x + y;
  // no step may overflow
  if (!(abs(sum) < 1e307 && abs(x) < 1e307)) return false;
  const part = sum - x;
  return giveD(sum, x - (sum - part) + (y - part) != 0);
}
function addS(x: f32, y: f32): bool {
  const sum: f32 = x + y;
  if (!(abs(sum) < f32(1e37) && abs(x) < f32(1e37))) return false;
  const part: f32 = sum - x;
  return giveS(sum, x - (sum - part) + (y - part) != f32(0));
}

function multiplyD(x: f64, y: f64): bool {
  const product = x * y;
  if (normalD(product) && abs(product) != LEAST_D && normalD(x) && normalD(y)) return giveD(product, !productFits(x, y));
  return product == 0 && (x == 0 || y == 0) && giveD(product, false);
}
function multiplyS(x: f32, y: f32): bool {
  const product: f32 = x * y;
  if (normalS(product)) return roundedS(product, f64(product) != f64(x) * f64(y));
  return product == f32(0) && (x == f32(0) || y == f32(0)) && giveS(product, false);
}

function divideD(x: f64, y: f64): bool {
  const quotient = x / y;
  if (normalD(quotient) && normalD(x) && normalD(y)) return roundedD(quotient, !productFits(quotient, y) || quotient * y != x);
  return quotient == 0 && x == 0 && giveD(quotient, false);
}
function divideS(x: f32, y: f32): bool {
  const quotient: f32 = x / y;
  if (normalS(quotient)) return roundedS(quotient, f64(quotient) * f64(y) != f64(x));
  return quotient == f32(0) && x == f32(0) && giveS(quotient, false);
}

function rootD(x: f64): bool {
  const root = sqrt<f64>(x);
  if (normalD(x) && root > 0) return giveD(root, !productFits(root, root) || root * root != x);
  return x == 0 && giveD(root, false);
}
function rootS(x: f32): bool {
  const root = sqrt<f32>(x);
  if (normalS(x) && root > f32(0)) return giveS(root, f64(root) * f64(root) != f64(x));
  return x == f32(0) && giveS(root, false);
}

function multiplyAddD(operation: u32, x: f64, y: f64, z: f64): bool {
  if (!multiplyD(x, y)) return false;
  const lossy = inexact;
  const subtracts = operation == FloatCode.MSUB || operation == FloatCode.NMSUB;
  if (!addD(reinterpret<f64>(result), subtracts ? -z : z)) return false;
  const sum = reinterpret<f64>(result);
  return giveD(operation == FloatCode.NMADD || operation == FloatCode.NMSUB ? -sum : sum, lossy || inexact);
}
function multiplyAddS(operation: u32, x: f32, y: f32, z: f32): bool {
  if (!multiplyS(x, y)) return false;
  const lossy = inexact;
  const subtracts = operation == FloatCode.MSUB || operation == FloatCode.NMSUB;
  if (!addS(reinterpret<f32>(u32(result)), subtracts ? -z : z)) return false;
  const sum = reinterpret<f32>(u32(result));
  return giveS(operation == FloatCode.NMADD || operation == FloatCode.NMSUB ? -sum : sum, lossy || inexact);
}

function rounded(x: f64, mode: u32): f64 {
  return mode == 1 ? trunc(x) : mode == 2 ? ceil(x) : mode == 3 ? floor(x) : nearest(x);
}
function toFixed(x: f64, mode: u32, limit: f64): bool {
  const whole = rounded(x, mode);
  if (!(abs(whole) < limit)) return false;
  result = u64(i64(whole));
  inexact = whole != x;
  return true;
}

function fromFixed(value: i64, wide: bool): bool {
  const double = f64(value);
  const single = f32(value);
  if (abs(double) >= 9223372036854775808.0 || abs(single) >= f32(9223372036854775808.0)) return false;
  return wide ? giveD(double, i64(double) != value) : giveS(single, i64(single) != value);
}

function double(code: u32, x: f64, y: f64, z: f64): bool {
  const operation = code & FloatCode.OPERATION;
  switch (operation) {
    case FloatCode.ADD:
      return addD(x, y);
    case FloatCode.SUB:
      return addD(x, -y);
    case FloatCode.MUL:
      return multiplyD(x, y);
    case FloatCode.DIV:
      return divideD(x, y);
    case FloatCode.SQRT:
      return rootD(x);
    case FloatCode.RECIP:
      return divideD(1, x);
    case FloatCode.CONVERT: {
      const single = f32(x);
      return (normalS(single) || x == 0) && roundedS(single, f64(single) != x);
    }
    case FloatCode.MADD:
    case FloatCode.MSUB:
    case FloatCode.NMADD:
    case FloatCode.NMSUB:
      return multiplyAddD(operation, x, y, z);
    default:
      return false;
  }
}

function single(code: u32, x: f32, y: f32, z: f32): bool {
  const operation = code & FloatCode.OPERATION;
  switch (operation) {
    case FloatCode.ADD:
      return addS(x, y);
    case FloatCode.SUB:
      return addS(x, -y);
    case FloatCode.MUL:
      return multiplyS(x, y);
    case FloatCode.DIV:
      return divideS(x, y);
    case FloatCode.SQRT:
      return rootS(x);
    case FloatCode.RECIP:
      return divideS(1, x);
    case FloatCode.MADD:
    case FloatCode.MSUB:
    case FloatCode.NMADD:
    case FloatCode.NMSUB:
      return multiplyAddS(operation, x, y, z);
    default:
      return false;
  }
}

/** Computes the operation, rounding to nearest, without FS and traps on Underflow, if that is so easy; false if it is not. */
export function quickly(code: u32, a: u64, b: u64, c: u64): bool {
  const wide = (code & FloatCode.WIDE) != 0;
  const detail = code >> FloatCode.DETAIL_SHIFT;
  switch (code & FloatCode.OPERATION) {
    case FloatCode.TO_WORD:
      return toFixed(wide ? reinterpret<f64>(a) : f64(reinterpret<f32>(u32(a))), detail, 2147483648.0);
    case FloatCode.TO_LONG:
      return toFixed(wide ? reinterpret<f64>(a) : f64(reinterpret<f32>(u32(a))), detail, 9223372036854775808.0);
    case FloatCode.FROM_WORD:
      return fromFixed(i64(i32(a)), false);
    case FloatCode.FROM_LONG:
      return fromFixed(i64(a), wide);
    default:
      return wide
        ? double(code, reinterpret<f64>(a), reinterpret<f64>(b), reinterpret<f64>(c))
        : single(code, reinterpret<f32>(u32(a)), reinterpret<f32>(u32(b)), reinterpret<f32>(u32(c)));
  }
}
