<?php
/**
 * The route tillsync-bridge/v1/points: POST.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Closure;
use Tillsync\Bridge\Confirmation\ConfirmationPrompt;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Customers\CustomerRow;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Customers\PointsSwitch;
use Tillsync\Bridge\Customers\PointsText;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;
use WP_Error;
use WP_REST_Response;

/**
 * Returns the points of the logged-in shopper, by the session's cookie with its nonce. It changes nothing. It is a POST because no cache
 * stores responses to POST: a cached response would show one shopper's points to another.
 */
final class ShopperPointsRoute {

	public const ADDRESS = AdminGate::NAMESPACE . '/points';

	/** File name of the template. WooCommerce also looks for it in the theme's folder, so the name must be unique. */
	private const TEMPLATE = 'tillsync-points.php';

	public function __construct(
		private readonly PointsSwitch $points_switch,
		private readonly ConfirmationPrompt $confirmation_prompt,
		private readonly CustomerTable $customers,
		private readonly SiteSettings $settings,
		private readonly CopyGuard $copy_guard,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		register_rest_route(
			AdminGate::NAMESPACE,
			'/points',
			array(
				'methods'             => 'POST',
				'permission_callback' => static fn() => $made()->permission(),
				'callback'            => static fn() => $made()->answer(),
			)
		);
	}

	/**
	 * Allows logged-in users. Without a valid nonce WordPress treats the caller as not logged in.
	 *
	 * @return true|WP_Error
	 */
	public function permission() {
		if ( ! is_user_logged_in() ) {
			return new WP_Error( 'rest_not_logged_in', __( 'Log in to see your points.', 'tillsync-bridge' ), array( 'status' => 401 ) );
		}
		if ( ! $this->points_switch->is_on() ) {
			return new WP_Error( 'tillsync_points_off', __( 'This shop does not show points.', 'tillsync-bridge' ), array( 'status' => 403 ) );
		}
		return true;
	}

	/** @return WP_REST_Response|WP_Error */
	public function answer() {
		$response = SafeCall::run( $this->log, 'points of a shopper', fn() => NoStoreResponse::of( $this->points( get_current_user_id() ) ) );
		if ( ! $response instanceof WP_REST_Response ) {
			return new WP_Error( 'tillsync_failed', __( 'Your points cannot be shown just now.', 'tillsync-bridge' ), array( 'status' => 500 ) );
		}
		return $response;
	}

	/** Returns which text the template shows: points, no_points, not_linked, or an empty text while customers are not synced. */
	private function state( ?CustomerRow $row, ?string $points ): string {
		if ( null !== $row ) {
			return null === $points ? 'no_points' : 'points';
		}
		return null !== $this->copy_guard->usable() && true === ( $this->settings->stored()['customerSyncEnabled'] ?? false ) ? 'not_linked' : '';
	}

	/** @return array{points: string|null, as_of: string|null, html: string, soon: bool} Null without values of this shopper. */
	private function points( int $user_id ): array {
		$row    = $this->customers->find( $user_id );
		$points = CustomerRow::shown_points( $row );
		$kind   = null === $row ? $this->confirmation_prompt->kind( $user_id ) : ConfirmationPrompt::NONE;
		if ( ConfirmationPrompt::NONE !== $kind ) {
			return array( 'points' => null, 'as_of' => null, 'html' => $this->confirmation_prompt->html( $kind ), 'soon' => ConfirmationPrompt::SOON === $kind );
		}
		return array(
			'points' => $points,
			'as_of'  => null === $row ? null : PointsText::machine_time( $row->as_of ),
			'html'   => wc_get_template_html(
				self::TEMPLATE,
				array(
					'state'         => $this->state( $row, $points ),
					'email'         => (string) wp_get_current_user()->user_email,
					'points'        => null === $points ? null : PointsText::points( $points ),
					'as_of'         => null === $row ? '' : PointsText::time( $row->as_of ),
					'as_of_machine' => null === $row ? '' : PointsText::machine_time( $row->as_of ),
				),
				'tillsync-bridge/',
				dirname( \Tillsync\Bridge\PLUGIN_FILE ) . '/templates/'
			),
			'soon'   => false,
		);
	}
}
