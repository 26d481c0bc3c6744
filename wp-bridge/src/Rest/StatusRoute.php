<?php
/**
 * GET wc-tillsync/v1/status.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Closure;
use Tillsync\Bridge\Connection\SiteIdentity;
use WP_REST_Request;
use WP_REST_Response;

/** What is here. The service asks before it says connected, in CheckAccount, and as its probe when writes fail. */
final class StatusRoute {

	public const NAMESPACE = 'wc-tillsync/v1';

	/** Customers in one batch: the contract's limit. */
	public const MAX_BATCH = 500;

	/**
	 * Versions of this wire that the plugin speaks. 1: an item with an unknown field was `invalid`; 2: the field is passed over. A service
	 * sends what came later only to a bridge that names 2 or above.
	 */
	public const APIS = array( 1, 2 );

	public function __construct( private readonly SignedRequest $signed_request ) {}

	/** @param Closure(): self $made Makes the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		register_rest_route(
			self::NAMESPACE,
			'/status',
			array(
				'methods'             => 'GET',
				'permission_callback' => static fn( WP_REST_Request $request ) => $made()->signed_request->status_permission( $request ),
				'callback'            => static fn() => $made()->answer(),
			)
		);
	}

	public function answer(): WP_REST_Response {
		$response = new WP_REST_Response(
			array(
				'bridge_version' => \Tillsync\Bridge\VERSION,
				// Older services know only "api", and only 1 there: it is the oldest version that this plugin speaks.
				'api'            => 1,
				'apis'           => self::APIS,
				'home_url'       => SiteIdentity::home_url(),
				'wordpress'      => (string) get_bloginfo( 'version' ),
				'woocommerce'    => defined( 'WC_VERSION' ) ? (string) WC_VERSION : '',
				'max_batch'      => self::MAX_BATCH,
				'price_decimals' => function_exists( 'wc_get_price_decimals' ) ? (int) wc_get_price_decimals() : 2,
			)
		);
		// Anonymous answers carry no such header in WordPress, and a cached one would say "all is well" for ever.
		$response->header( 'Cache-Control', 'no-store, private' );
		return $response;
	}
}
