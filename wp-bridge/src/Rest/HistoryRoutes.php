<?php
/**
 * The routes wc-tillsync/v1/orders-since, links-since and account-state: GET.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Closure;
use Throwable;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\History\ShopHistory;
use Tillsync\Bridge\Log;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/**
 * Read what the shop keeps of the service's work, for a service whose database was restored. The responses have emails of orders, so every
 * parameter is in the route, which the signature covers, and no cache may store a response.
 */
final class HistoryRoutes {

	public function __construct(
		private readonly SignedRequest $signed_request,
		private readonly Database $database,
		private readonly ShopHistory $history,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		$from = '/(?P<since>\d{1,11})/(?P<after>\d{1,18})';
		self::add( $made, '/orders-since' . $from, static fn( self $routes, int $since, int $after ) => $routes->history->orders( $since, $after ) );
		self::add( $made, '/links-since' . $from, static fn( self $routes, int $since, int $after ) => $routes->history->links( $since, $after ) );
		self::add( $made, '/account-state', static fn( self $routes ) => $routes->history->account() );
	}

	/**
	 * @param Closure(): self                               $made Creates the object when a request comes.
	 * @param Closure(self, int, int): array<string, mixed> $data Returns the response's data.
	 */
	private static function add( Closure $made, string $route, Closure $data ): void {
		register_rest_route(
			StatusRoute::NAMESPACE,
			$route,
			array(
				'methods'             => 'GET',
				'permission_callback' => static fn( WP_REST_Request $request ) => $made()->signed_request->permission( $request ),
				'callback'            => static fn( WP_REST_Request $request ) => $made()->answer( $request, $data ),
			)
		);
	}

	/**
	 * @param Closure(self, int, int): array<string, mixed> $data Returns the response's data.
	 * @return WP_REST_Response|WP_Error
	 */
	private function answer( WP_REST_Request $request, Closure $data ) {
		// Parameters of the query would not be signed.
		$from = $request->get_url_params();
		try {
			$this->database->limit_waiting();
			$response = new WP_REST_Response( $data( $this, (int) ( $from['since'] ?? 0 ), (int) ( $from['after'] ?? 0 ) ) );
		} catch ( DatabaseError $error ) {
			return $error->for_rest();
		} catch ( Throwable $error ) {
			return RouteFailure::of( $this->log, 'history', $error );
		}
		$response->header( 'Cache-Control', 'no-store, private' );
		return $response;
	}
}
