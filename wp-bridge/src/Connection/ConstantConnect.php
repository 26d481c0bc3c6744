<?php
/**
 * The connect string of wp-config.php.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Connection;

use Tillsync\Bridge\Boot\EveryRequest;
use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Log;

/**
 * Connects a live shop by the constant TILLSYNC_CONNECT: after the first page of wp-admin, or with cron. A test site or a copy waits for a
 * person. It cannot connect within the activation, because the service calls the site back, and WordPress activates the plugin only after
 * that request.
 */
final class ConstantConnect {

	/** Option with the unix seconds of the activation. Orders from then on are not old, however late the shop connects. */
	public const ACTIVATED = 'tillsync_bridge_activated';

	/** Option with the unix seconds before which a failed try is not repeated. */
	private const AFTER = 'tillsync_bridge_connect_after';

	/** Option with the sentence of the last failure. */
	private const FAILURE = 'tillsync_bridge_connect_failure';

	public function __construct(
		private readonly Connector $connector,
		private readonly ConnectionStore $connections,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/** Connects when the person in wp-admin has the page, where PHP can end a response before the request. */
	public function run_after_page(): void {
		if ( ! $this->is_due() ) {
			return;
		}
		foreach ( array_filter( EveryRequest::END_OF_RESPONSE, 'function_exists' ) as $end_response ) {
			$end_response();
		}
		$this->run();
	}

	public function run(): void {
		$constant = $this->connections->constant();
		if ( null === $constant || ! $this->is_due() ) {
			return;
		}
		// Stored before the call, so that a request that dies during the call does not lead to an immediate second try.
		update_option( self::AFTER, $this->clock->now() + 15 * MINUTE_IN_SECONDS, false );
		try {
			$this->connector->connect( $constant, false, (int) get_option( self::ACTIVATED, 0 ) );
			delete_option( self::AFTER );
			delete_option( self::FAILURE );
		} catch ( ConnectError $error ) {
			update_option( self::FAILURE, $error->getMessage(), false );
			$this->log->error( 'TILLSYNC_CONNECT: ' . $error->getMessage() );
		}
	}

	/** Says for what an unconnected shop with the constant waits. */
	public function state(): string {
		$after   = (int) get_option( self::AFTER, 0 );
		$failure = (string) get_option( self::FAILURE, '' );
		if ( '' === $failure || $after <= $this->clock->now() ) {
			return __( 'The shop connects by itself within a minute. Reload this page then.', 'tillsync-bridge' );
		}
		/* translators: 1: what went wrong, 2: time of day */
		return sprintf( __( 'It could not connect: %1$s Next try at %2$s.', 'tillsync-bridge' ), rtrim( $failure, '.' ) . '.', (string) wp_date( (string) get_option( 'time_format', 'H:i' ), $after ) );
	}

	private function is_due(): bool {
		return null !== $this->connections->constant() && ! $this->connections->is_connected() && null === $this->connections->copy_of() && SiteIdentity::is_production()
			&& $this->clock->now() >= (int) get_option( self::AFTER, 0 );
	}
}
