/** The painter's short cuts are invisible: blocks, culling and the lattice of places change no voxel that one sees. */
import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import { buildAnatomy } from '../../src/phantom/anatomy/index.ts'
import type { Anatomy } from '../../src/phantom/anatomy/index.ts'
import { channel, paint } from '../../src/phantom/paint.ts'
import { ellipsoid } from '../../src/phantom/shapes.ts'
import { TISSUES } from '../../src/phantom/tissues.ts'
import { drawTraits } from '../../src/phantom/traits.ts'
import { axialGrid, paintCt } from '../../src/phantom/virtual-patient.ts'
import { stream } from '../../src/random.ts'
import { apply, mmFromIndex } from '../../src/volume/index.ts'
import type { Vec3 } from '../../src/volume/index.ts'

test('a voxel painted alone has the HU that it has in a whole scan', () => {
  for (const seed of [1, 2]) {
    const traits = drawTraits(seed)
    const anatomy = buildAnatomy(traits)
    const spacing: Vec3 = [2, 2, 6]
    const grid = axialGrid([96, 120, 30], spacing, [0, -8, -40])
    const whole = paintCt(anatomy, traits, grid)
    const draw = stream(seed, 'voxels')
    let compared = 0
    while (compared < 150) {
      const n = draw.below(whole.labels.length)
      if (whole.labels[n] === 0) continue
      const index: Vec3 = [n % 96, Math.floor(n / 96) % 120, Math.floor(n / (96 * 120))]
      const alone = paintCt(anatomy, traits, axialGrid([1, 1, 1], spacing, apply(mmFromIndex(grid), index)))
      const differenceHu = Math.abs(alone.channels[0]![0]! - whole.channels[0]![n]!)
      // Places between lattice nodes are good to 0.1 mm: at an edge of air and bone that is some 100 HU.
      assert.ok(differenceHu < 200, `seed ${seed}, voxel ${index.join(' ')}: ${differenceHu.toFixed(0)} HU`)
      compared++
    }
  }
})

test('nowhere inside the head is a voxel left unpainted: air is in airways, sinuses and cells of bone alone', () => {
  const airy = new Set(['Airway', 'Body', 'Skull'])
  for (const seed of [4, 5]) {
    const traits = drawTraits(seed)
    const anatomy = buildAnatomy(traits)
    const painting = paintCt(anatomy, traits, axialGrid([96, 120, 30], [2, 2, 9], [0, -8, -20]))
    const stray = painting.labels.reduce((count, label, n) => {
      const name = label === 0 ? 'outside' : anatomy.structures[label - 1]!
      return count + (name !== 'outside' && !airy.has(name) && painting.channels[0]![n]! < -850 ? 1 : 0)
    }, 0)
    expect(stray).toBe(0)
  }
})

test('a painted ball has the volume of a ball, to 1 %, at any voxel size: partial volume is kept', () => {
  const traits = drawTraits(1)
  const ball = ellipsoid([0, 0, 0], [20, 20, 20])
  const anatomy: Anatomy = {
    body: ball,
    organs: [{ structure: 'Body', tissue: 'csf', shape: ball, depthMm: 0 }],
    structures: ['Body'],
  }
  const one = channel(
    (name) => (TISSUES[name] === TISSUES.csf ? 1 : 0),
    () => [0, 0, 0],
  )
  for (const mm of [1, 2, 3]) {
    const n = Math.ceil(50 / mm)
    const grid = axialGrid([n, n, n], [mm, mm, mm], [0.3, -0.2, 0.4])
    const { channels } = paint(anatomy, traits, grid, (p) => p, [one])
    const volume = channels[0]!.reduce((sum, share) => sum + share, 0) * mm ** 3
    const exact = (4 / 3) * Math.PI * 20 ** 3
    assert.ok(Math.abs(volume / exact - 1) < 0.01, `${mm} mm: ${(volume / exact).toFixed(4)} of the ball`)
  }
})
