<?php
/**
 * REST routes of the queues page and of notices.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Closure;
use Throwable;
use Tillsync\Bridge\Health\Alerts;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Screens\Chooser;
use Tillsync\Bridge\Screens\OutboxList;
use Tillsync\Bridge\Screens\QueueList;
use Tillsync\Bridge\Screens\QueueWork;
use Tillsync\Bridge\Service\ServiceError;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/**
 * Each route requires cookie, nonce and manage_woocommerce (AdminGate), and then calls one class of a screen. No cache stores the
 * responses.
 */
final class AdminRoutes {

	private const ENTRY = '(?P<entry_id>[A-Za-z0-9_-]{1,64})';

	public function __construct(
		private readonly QueueList $queue_list,
		private readonly OutboxList $outbox_list,
		private readonly QueueWork $queue_work,
		private readonly Chooser $chooser,
		private readonly Alerts $alerts,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		$add    = static fn( string $method, string $route, array $args, Closure $body ) => self::add( $method, $route, $args, $made, $body );
		$filter = array(
			'queue'   => array( 'type' => 'string', 'required' => true, 'enum' => array( 'customers', 'orders' ) ),
			'state'   => array( 'type' => 'string', 'default' => '', 'enum' => array_merge( array( '' ), array_keys( QueueList::STATES ) ) ),
			'outcome' => array( 'type' => 'string', 'default' => '', 'pattern' => '^(OUTCOME_[A-Z_]{1,60})?$' ),
		);
		$page   = $filter + array(
			'search'     => array( 'type' => 'string', 'default' => '', 'maxLength' => 254 ),
			'by'         => array( 'type' => 'string', 'default' => '', 'enum' => array_merge( array( '' ), QueueList::SEARCHES ) ),
			'page_token' => array( 'type' => 'string', 'default' => '', 'maxLength' => 2000 ),
			'counts'     => array( 'type' => 'boolean', 'default' => false ),
		);
		$work   = array(
			'entry_ids' => array( 'type' => 'array', 'default' => array(), 'maxItems' => 100, 'items' => array( 'type' => 'string', 'pattern' => '^[A-Za-z0-9_-]{1,64}$' ) ),
			'queue'     => array( 'type' => 'string', 'default' => 'orders', 'enum' => array( 'customers', 'orders' ) ),
			'outcome'   => $filter['outcome'],
			'only_ask'  => array( 'type' => 'boolean', 'default' => false ),
			'next'      => array( 'type' => 'string', 'default' => '', 'maxLength' => 4000 ),
		);
		$add( 'GET', '/queues', $page, static fn( self $routes, WP_REST_Request $request ) => $routes->queue_list->page( $request->get_params() ) );
		$add( 'GET', '/queues/outbox', array( 'search' => $page['search'], 'page' => array( 'type' => 'integer', 'default' => 1, 'minimum' => 1, 'maximum' => 1000 ) ), static fn( self $routes, WP_REST_Request $request ) => $routes->outbox_list->page( (string) $request['search'], (int) $request['page'] ) );
		$add( 'POST', '/queues/outbox/(?P<order_id>[1-9][0-9]{0,17})/send', array(), static fn( self $routes, WP_REST_Request $request ) => $routes->outbox_list->send( (int) $request['order_id'] ) );
		$add( 'GET', '/queues/entries/' . self::ENTRY, array(), static fn( self $routes, WP_REST_Request $request ) => $routes->queue_list->entry( (string) $request['entry_id'] ) );
		$add( 'POST', '/queues/retry', $work, static fn( self $routes, WP_REST_Request $request ) => $routes->queue_work->retry( $request->get_params() ) );
		$add( 'POST', '/queues/dismiss', array( 'entry_ids' => array( 'required' => true, 'minItems' => 1 ) + array_diff_key( $work['entry_ids'], array( 'default' => true ) ) ), static fn( self $routes, WP_REST_Request $request ) => $routes->queue_work->dismiss( (array) $request['entry_ids'] ) );
		$add( 'GET', '/queues/entries/' . self::ENTRY . '/candidates', array(), static fn( self $routes, WP_REST_Request $request ) => $routes->chooser->candidates( (string) $request['entry_id'] ) );
		$add(
			'POST',
			'/queues/entries/' . self::ENTRY . '/customer',
			array( 'epos_customer_id' => array( 'type' => 'string', 'required' => true, 'pattern' => '^[1-9][0-9]{0,18}$' ) ),
			static fn( self $routes, WP_REST_Request $request ) => $routes->chooser->choose( (string) $request['entry_id'], (string) $request['epos_customer_id'] )
		);
		$add( 'POST', '/notices/dismiss', array( 'key' => array( 'type' => 'string', 'required' => true, 'pattern' => '^[a-z0-9_:]{1,60}$' ) ), static fn( self $routes, WP_REST_Request $request ) => array( 'dismissed' => $routes->alerts->dismiss( (string) $request['key'], get_current_user_id() ) ) );
	}

	/**
	 * @param array<string, array<string, mixed>>                   $args Parameters of the route.
	 * @param Closure(): self                                       $made Creates the object when a request comes.
	 * @param Closure(self, WP_REST_Request): array<string, mixed> $body Returns the response data.
	 */
	private static function add( string $method, string $route, array $args, Closure $made, Closure $body ): void {
		register_rest_route(
			AdminGate::NAMESPACE,
			$route,
			array(
				'methods'             => $method,
				'permission_callback' => array( AdminGate::class, 'permission' ),
				'args'                => $args,
				'callback'            => static fn( WP_REST_Request $request ) => $made()->answer( $route, static fn() => $body( $made(), $request ) ),
			)
		);
	}

	/** @return WP_REST_Response|WP_Error */
	private function answer( string $where, Closure $body ) {
		try {
			return NoStoreResponse::of( $body() );
		} catch ( ServiceError $error ) {
			return ServiceErrorResponse::of( $error );
		} catch ( Throwable $error ) {
			$this->log->failure( $where, $error );
			return new WP_Error( 'tillsync_failed', __( 'Something failed in the plugin: see the log of Tillsync.', 'tillsync-bridge' ), array( 'status' => 500 ) );
		}
	}
}
