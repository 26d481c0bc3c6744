<?php
/**
 * The plugin's tests in Tools → Site Health.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

use Closure;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Updates\UpdateHealth;
use WP_REST_Response;

/** Tests of this site's database run with the page. The test that calls the service runs separately, after the page has loaded. */
final class SiteHealth {

	/** Seconds after which a waiting order needs a person's attention. */
	private const OLD_SECONDS = 3600;

	/** WordPress's capability for these tests. */
	private const CAPABILITY = 'view_site_health_checks';

	public function __construct(
		private readonly HealthFacts $health_facts,
		private readonly ServiceTest $service_test,
		private readonly UpdateHealth $update_health,
		private readonly Log $log
	) {}

	/**
	 * @param mixed $tests Tests of WordPress and other plugins.
	 * @return mixed
	 */
	public function with_tests( $tests = array() ) {
		if ( ! is_array( $tests ) ) {
			return $tests;
		}
		$labels = array(
			'connected' => __( 'Till sync: connection', 'tillsync-bridge' ),
			'outbox'    => __( 'Till sync: orders that wait', 'tillsync-bridge' ),
			'missed'    => __( 'Till sync: missed orders', 'tillsync-bridge' ),
			'cron'      => __( 'Till sync: background work', 'tillsync-bridge' ),
			'updates'   => __( 'Till sync: updates of the plugin', 'tillsync-bridge' ),
		);
		foreach ( $labels as $name => $label ) {
			$tests['direct'][ "tillsync_{$name}" ] = array( 'label' => $label, 'test' => fn() => SafeCall::run( $this->log, "site health {$name}", fn() => $this->{$name}( $this->health_facts->read() ), HealthResult::of( $name, 'recommended', $label, __( 'This could not be found out: see the log of Tillsync.', 'tillsync-bridge' ) ) ) );
		}
		$tests['async']['tillsync_service'] = array(
			'label'             => __( 'Till sync: both sides', 'tillsync-bridge' ),
			'test'              => rest_url( AdminGate::NAMESPACE . '/site-health/service' ),
			'has_rest'          => true,
			'async_direct_test' => fn() => $this->service(),
		);
		return $tests;
	}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		register_rest_route(
			AdminGate::NAMESPACE,
			'/site-health/service',
			array(
				'methods'             => 'GET',
				'permission_callback' => static fn() => current_user_can( self::CAPABILITY ),
				'callback'            => static function () use ( $made ): WP_REST_Response {
					$response = new WP_REST_Response( $made()->service() );
					$response->header( 'Cache-Control', 'no-store, private' );
					return $response;
				},
			)
		);
	}

	/** @return array<string, mixed> Result of the test that calls the service. */
	public function service(): array {
		return SafeCall::run( $this->log, 'site health', fn() => $this->service_test->run(), HealthResult::of( 'service', 'recommended', __( 'The tillsync service could not be tested', 'tillsync-bridge' ), __( 'See the log of Tillsync.', 'tillsync-bridge' ) ) );
	}

	/**
	 * @param array<string, mixed> $facts Result of HealthFacts.
	 * @return array<string, mixed>
	 */
	private function connected( array $facts ): array {
		if ( ! $facts['connected'] ) {
			return HealthResult::of( 'connected', 'recommended', __( 'The shop is not connected to a tillsync service', 'tillsync-bridge' ), __( 'Paste the connect string of your tillsync operator on the settings screen.', 'tillsync-bridge' ) );
		}
		if ( $facts['must_choose'] ) {
			return HealthResult::of( 'connected', 'critical', __( 'This site is not where it was connected to tillsync', 'tillsync-bridge' ), __( 'Nothing is sent or accepted until you choose whether this is a copy or the shop has moved.', 'tillsync-bridge' ) );
		}
		if ( '' !== $facts['paused'] ) {
			return HealthResult::of( 'connected', 'critical', __( 'The tillsync service refuses this shop', 'tillsync-bridge' ), $facts['paused'] );
		}
		if ( ! $facts['tables'] ) {
			return HealthResult::of( 'connected', 'critical', __( 'The database tables of Tillsync are missing', 'tillsync-bridge' ), __( 'See that the database user may create tables, then open any page of wp-admin.', 'tillsync-bridge' ) );
		}
		/* translators: %s: date and time */
		$when = 0 === $facts['last_success'] ? __( 'Nothing has been sent yet.', 'tillsync-bridge' ) : sprintf( __( 'The service last answered %s.', 'tillsync-bridge' ), wp_date( get_option( 'date_format' ) . ' ' . get_option( 'time_format' ), $facts['last_success'] ) );
		return HealthResult::of( 'connected', 'good', __( 'The shop is connected to its tillsync service', 'tillsync-bridge' ), $when );
	}

	/**
	 * @param array<string, mixed> $facts Result of HealthFacts.
	 * @return array<string, mixed>
	 */
	private function outbox( array $facts ): array {
		/* translators: 1: number of orders, 2: number of orders, 3: number of orders */
		$numbers = sprintf( __( 'Not left the shop: %1$d. At the service: %2$d. Failed: %3$d.', 'tillsync-bridge' ), $facts['waiting'], $facts['sent'], $facts['failed'] );
		if ( $facts['waiting'] > 0 && $facts['oldest_waiting'] > self::OLD_SECONDS ) {
			/* translators: %s: time span, such as "2 hours" */
			return HealthResult::of( 'outbox', 'critical', sprintf( __( 'Orders have been waiting for %s to leave the shop', 'tillsync-bridge' ), human_time_diff( 0, $facts['oldest_waiting'] ) ), $numbers . ' ' . $facts['breaker_reason'] );
		}
		return HealthResult::of( 'outbox', 'good', __( 'Orders leave the shop for the till in time', 'tillsync-bridge' ), $numbers );
	}

	/**
	 * @param array<string, mixed> $facts Result of HealthFacts.
	 * @return array<string, mixed>
	 */
	private function missed( array $facts ): array {
		if ( $facts['missed'] > 0 ) {
			/* translators: %d: number of orders */
			return HealthResult::of( 'missed', 'recommended', __( 'Some orders reached tillsync only by the hourly sweep', 'tillsync-bridge' ), sprintf( _n( '%d order was missed when it was placed and found later. Another plugin may end the order\'s hooks early.', '%d orders were missed when they were placed and found later. Another plugin may end the orders\' hooks early.', $facts['missed'], 'tillsync-bridge' ), $facts['missed'] ) );
		}
		return HealthResult::of( 'missed', 'good', __( 'No order was missed by tillsync', 'tillsync-bridge' ), __( 'Every order was noted when it was placed.', 'tillsync-bridge' ) );
	}

	/** @return array<string, mixed> */
	private function updates(): array {
		return $this->update_health->result();
	}

	/**
	 * @param array<string, mixed> $facts Result of HealthFacts.
	 * @return array<string, mixed>
	 */
	private function cron( array $facts ): array {
		if ( ! $facts['cron'] ) {
			return HealthResult::of( 'cron', 'critical', __( 'WordPress\'s cron does not run', 'tillsync-bridge' ), __( 'Orders leave the shop by background work. Let a real cron call wp-cron.php every minute, or `wp tillsync drain`.', 'tillsync-bridge' ) );
		}
		return HealthResult::of( 'cron', 'good', __( 'Tillsync\'s background work runs', 'tillsync-bridge' ), __( 'Cron runs on time.', 'tillsync-bridge' ) );
	}
}
