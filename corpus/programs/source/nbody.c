/* Sun and four planets, `size` steps of a hundredth of a year: double arithmetic with square roots. */
#include "guest.h"

PROGRAM("nbody", 200000);

typedef struct {
  double x, y, z, vx, vy, vz, mass;
} Body;

#define PI 3.141592653589793
#define SOLAR_MASS (4 * PI * PI)
#define DAYS 365.24
enum { BODIES = 5 };

/* Positions in astronomical units, velocities in units a year, at the epoch that the usual form of this problem has. */
static Body bodies[BODIES] = {
    {0, 0, 0, 0, 0, 0, SOLAR_MASS},
    {4.84143144246472090, -1.16032004402742839, -0.103622044471123109, 0.00166007664274403694 * DAYS, 0.00769901118419740425 * DAYS,
     -0.0000690460016972063023 * DAYS, 0.000954791938424326609 * SOLAR_MASS},
    {8.34336671824457987, 4.12479856412430479, -0.403523417114321381, -0.00276742510726411045 * DAYS, 0.00499852801234917238 * DAYS,
     0.0000230417297573763929 * DAYS, 0.000285885980666130812 * SOLAR_MASS},
    {12.8943695621391310, -15.1111514016986312, -0.223307578892655734, 0.00296460137564761618 * DAYS, 0.00237847173959480950 * DAYS,
     -0.0000296589568540237556 * DAYS, 0.0000436624404335156298 * SOLAR_MASS},
    {15.3796971148509165, -25.9193146099879641, 0.179258772950371181, 0.00268067772490389322 * DAYS, 0.00162824170038242295 * DAYS,
     -0.0000951592254519715870 * DAYS, 0.0000515138902046611451 * SOLAR_MASS},
};

static inline double square_root(double x) {
#if defined(__mips__)
  double result;
  __asm__("sqrt.d %0, %1" : "=f"(result) : "f"(x));
  return result;
#else
  return __builtin_sqrt(x);
#endif
}

static double energy(void) {
  double sum = 0;
  for (u32 i = 0; i < BODIES; i++) {
    const Body *b = bodies + i;
    sum += 0.5 * b->mass * (b->vx * b->vx + b->vy * b->vy + b->vz * b->vz);
    for (u32 j = i + 1; j < BODIES; j++) {
      double dx = b->x - bodies[j].x, dy = b->y - bodies[j].y, dz = b->z - bodies[j].z;
      sum -= b->mass * bodies[j].mass / square_root(dx * dx + dy * dy + dz * dz);
    }
  }
  return sum;
}

static void step(double dt) {
  for (u32 i = 0; i < BODIES; i++) {
    Body *b = bodies + i;
    for (u32 j = i + 1; j < BODIES; j++) {
      Body *o = bodies + j;
      double dx = b->x - o->x, dy = b->y - o->y, dz = b->z - o->z;
      double square = dx * dx + dy * dy + dz * dz;
      double force = dt / (square * square_root(square));
      b->vx -= dx * o->mass * force;
      b->vy -= dy * o->mass * force;
      b->vz -= dz * o->mass * force;
      o->vx += dx * b->mass * force;
      o->vy += dy * b->mass * force;
      o->vz += dz * b->mass * force;
    }
  }
  for (u32 i = 0; i < BODIES; i++) {
    Body *b = bodies + i;
    b->x += dt * b->vx;
    b->y += dt * b->vy;
    b->z += dt * b->vz;
  }
}

u32 run(u32 size) {
  double px = 0, py = 0, pz = 0;
  for (u32 i = 0; i < BODIES; i++) {
    px += bodies[i].vx * bodies[i].mass;
    py += bodies[i].vy * bodies[i].mass;
    pz += bodies[i].vz * bodies[i].mass;
  }
  bodies[0].vx = -px / SOLAR_MASS;
  bodies[0].vy = -py / SOLAR_MASS;
  bodies[0].vz = -pz / SOLAR_MASS;
  print_double(energy());
  print(" ");
  while (size-- > 0) step(0.01);
  double end = energy();
  print_double(end);
  print(" ");
  return (u32)(i32)(end * -1e9);
}
