<?php
/**
 * The test of updates in Site Health.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Updates;

use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Health\HealthResult;

/** Says whether the plugin can be updated, and why an update was refused. It calls no service. */
class UpdateHealth {

	public function __construct(
		private readonly ReleaseKeys $keys,
		private readonly UpdateState $state,
		private readonly CopyGuard $copy_guard
	) {}

	/** @return array<string, mixed> A result of Site Health. */
	public function result(): array {
		$state = $this->state->read();
		if ( array() === $this->keys->all() ) {
			return self::of( 'recommended', __( 'This copy of Tillsync Bridge offers no updates', 'tillsync-bridge' ), __( 'Its zip was built without a public key. Ask your tillsync operator for a zip with a key, and upload it under Plugins → Add New.', 'tillsync-bridge' ) );
		}
		if ( null === $this->copy_guard->usable() ) {
			return self::of( 'recommended', __( 'Tillsync Bridge gets no updates', 'tillsync-bridge' ), __( 'Updates come from the tillsync service, and the shop is not connected, or must first say whether it is a copy.', 'tillsync-bridge' ) );
		}
		if ( '' !== $state['error'] ) {
			return self::of( 'critical', __( 'An update of Tillsync Bridge failed', 'tillsync-bridge' ), $state['error'] );
		}
		if ( '' !== $state['version'] && version_compare( $state['version'], \Tillsync\Bridge\VERSION, '>' ) ) {
			/* translators: %s: version number */
			return self::of( 'recommended', sprintf( __( 'Version %s of Tillsync Bridge can be installed', 'tillsync-bridge' ), $state['version'] ), __( 'Install it under Dashboard → Updates.', 'tillsync-bridge' ) );
		}
		/* translators: %s: date and time */
		$when = 0 === $state['at'] ? __( 'WordPress has not asked for updates yet.', 'tillsync-bridge' ) : sprintf( __( 'WordPress last asked for updates %s.', 'tillsync-bridge' ), wp_date( get_option( 'date_format' ) . ' ' . get_option( 'time_format' ), $state['at'] ) );
		return self::of( 'good', __( 'Tillsync Bridge is up to date', 'tillsync-bridge' ), $when );
	}

	/** @return array<string, mixed> */
	private static function of( string $status, string $label, string $text ): array {
		return HealthResult::of( 'updates', $status, $label, $text );
	}
}
