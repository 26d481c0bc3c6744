<?php
/**
 * The routes of the queues page and of notices.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use Closure;
use Throwable;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Health\Causes;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Screens\Chooser;
use Tillsync\Bridge\Screens\OutboxList;
use Tillsync\Bridge\Screens\QueueList;
use Tillsync\Bridge\Screens\QueueWork;
use Tillsync\Bridge\Service\ServiceError;
use Tillsync\Bridge\Services;
use WP_Error;
use WP_REST_Request;
use WP_REST_Response;

/** Cookie, nonce and manage_woocommerce (AdminGate), then one call of a screen's class. Answers are never cached. */
final class AdminRoutes implements Part {

	private const ENTRY = '(?P<entry_id>[A-Za-z0-9_-]{1,64})';

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		add_action( 'rest_api_init', Guarded::action( $this->services, 'rest_api_init', fn() => $this->add_routes() ) );
	}

	private function add_routes(): void {
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
		$this->add( 'GET', '/queues', $page, fn( WP_REST_Request $request ) => $this->services->get( QueueList::class )->page( $request->get_params() ) );
		$this->add( 'GET', '/queues/outbox', array( 'search' => $page['search'], 'page' => array( 'type' => 'integer', 'default' => 1, 'minimum' => 1, 'maximum' => 1000 ) ), fn( WP_REST_Request $request ) => $this->services->get( OutboxList::class )->page( (string) $request['search'], (int) $request['page'] ) );
		$this->add( 'POST', '/queues/outbox/(?P<order_id>[1-9][0-9]{0,17})/send', array(), fn( WP_REST_Request $request ) => $this->services->get( OutboxList::class )->send( (int) $request['order_id'] ) );
		$this->add( 'GET', '/queues/entries/' . self::ENTRY, array(), fn( WP_REST_Request $request ) => $this->services->get( QueueList::class )->entry( (string) $request['entry_id'] ) );
		$this->add( 'POST', '/queues/retry', $work, fn( WP_REST_Request $request ) => $this->services->get( QueueWork::class )->retry( $request->get_params() ) );
		$this->add( 'POST', '/queues/dismiss', array( 'entry_ids' => array( 'required' => true, 'minItems' => 1 ) + array_diff_key( $work['entry_ids'], array( 'default' => true ) ) ), fn( WP_REST_Request $request ) => $this->services->get( QueueWork::class )->dismiss( (array) $request['entry_ids'] ) );
		$this->add( 'GET', '/queues/entries/' . self::ENTRY . '/candidates', array(), fn( WP_REST_Request $request ) => $this->services->get( Chooser::class )->candidates( (string) $request['entry_id'] ) );
		$this->add(
			'POST',
			'/queues/entries/' . self::ENTRY . '/customer',
			array( 'epos_customer_id' => array( 'type' => 'string', 'required' => true, 'pattern' => '^[1-9][0-9]{0,18}$' ) ),
			fn( WP_REST_Request $request ) => $this->services->get( Chooser::class )->choose( (string) $request['entry_id'], (string) $request['epos_customer_id'] )
		);
		$this->add( 'POST', '/notices/dismiss', array( 'key' => array( 'type' => 'string', 'required' => true, 'pattern' => '^[a-z0-9_:]{1,60}$' ) ), fn( WP_REST_Request $request ) => array( 'dismissed' => $this->services->get( Causes::class )->dismiss( (string) $request['key'], get_current_user_id() ) ) );
	}

	/**
	 * @param array<string, array<string, mixed>> $args Of the route.
	 * @param Closure(WP_REST_Request): array<string, mixed> $body The answer.
	 */
	private function add( string $method, string $route, array $args, Closure $body ): void {
		register_rest_route(
			AdminGate::NAMESPACE,
			$route,
			array(
				'methods'             => $method,
				'permission_callback' => array( AdminGate::class, 'permission' ),
				'args'                => $args,
				'callback'            => fn( WP_REST_Request $request ) => $this->answer( $route, static fn() => $body( $request ) ),
			)
		);
	}

	/** @return WP_REST_Response|WP_Error */
	private function answer( string $where, Closure $body ) {
		try {
			return NeverKept::response( $body() );
		} catch ( ServiceError $error ) {
			return ServiceErrorResponse::of( $error );
		} catch ( Throwable $error ) {
			$this->services->log()->failure( $where, $error );
			return new WP_Error( 'tillsync_failed', __( 'Something failed in the plugin: see the log of Tillsync.', 'tillsync-bridge' ), array( 'status' => 500 ) );
		}
	}
}
